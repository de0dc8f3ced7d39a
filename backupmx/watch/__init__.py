"""Tells: the event log and the metrics.

Knows: events, by name.
Does not know: how any room works.
"""
