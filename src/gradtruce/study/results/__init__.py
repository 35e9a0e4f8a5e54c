"""From finished runs to the numbers of a study: paired, with intervals and tests."""
