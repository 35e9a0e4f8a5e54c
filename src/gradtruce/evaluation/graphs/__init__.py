"""Graphs of reports, as RadGraph draws them: entities with labels, and relations between them."""
