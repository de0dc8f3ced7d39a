"""The pure part: values of mail and the arithmetic on them.

Knows: RFC rules on values, the types that every room speaks in.
Does not know: files, sockets, clocks, randomness, logging.
"""
