"""The Flask status page and the HTTP API, in its own process, as its own user.

Knows: control's client and the status document.
Does not know: LMDB, the spool's files, SMTP.
"""
