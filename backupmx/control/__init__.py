"""The local control API on a unix socket: what the page, the command line and operators may ask or do.

Knows: the status document, the spool's admin verbs, who may sign in to the page.
Does not know: HTML, terminals, how mail comes in or goes out.
"""
