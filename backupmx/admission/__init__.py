"""Decides what may come in: one file a check, each given what is known of the transaction, each returning a verdict.

Knows: the configured domains.
Does not know: sockets of the session, the spool's layout.
"""
