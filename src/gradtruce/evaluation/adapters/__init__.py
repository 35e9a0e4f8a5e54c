"""Metrics of other packages, run where the user has them and their weights; none is required.

Those packages need other versions of libraries than this one, so each runs in a process of its own,
in the Python that the user names, without network.
"""
