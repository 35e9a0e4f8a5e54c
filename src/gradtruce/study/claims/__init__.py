"""The paper's claims, held against a study."""
