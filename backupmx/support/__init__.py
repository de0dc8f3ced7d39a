"""What helps somebody else to find a fault, without what is nobody else's business.

Knows: what may be shown of configuration and log, for it is known to be harmless; what can be told of the machine.
Does not know: who reads it, mail, and the running server.
"""
