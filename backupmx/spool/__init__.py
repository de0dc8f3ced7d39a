"""Holds mail: the LMDB store and the in-memory fake; both pass the same contract tests.

Knows: records, keys, transactions.
Does not know: SMTP, what an outcome means to people, the clock (it is given `now`).
"""
