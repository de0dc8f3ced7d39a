"""Speaks SMTP to strangers (on aiosmtpd): sessions, limits, TLS, reading data fast in bounded memory.

Knows: admission, and the spool's `intake`.
Does not know: LMDB, routes, retry times.
"""
