"""Gives back: routes (dnspython), primary health, the delivery loop, the drain ramp, the client (aiosmtplib).

Knows: `Spool.lease`, `Spool.settle`, each domain's route.
Does not know: sessions of strangers, admission, how the spool stores.
"""
