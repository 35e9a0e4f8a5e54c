"""Labelers: from the text of a report to the states of the fourteen observations."""
