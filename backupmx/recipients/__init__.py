"""Knows which addresses exist: lists, directories, callouts, what was learned, and how long to believe it.

Knows: where each domain's addresses are told; the courier's client, to ask the primary.
Does not know: sessions of strangers, the spool, what is answered to whom.
"""
