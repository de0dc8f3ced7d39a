"""Looks whether all is as it should be, before users find out: names, ports, certificate, clock, disk, primaries, recipients.

Knows: what can be asked of DNS, of this machine and of the primaries, what should be there, and how to mend what is not.
Does not know: who reads the findings, sessions, the spool.

One file for each thing that is looked at. Nothing here raises for trouble: what cannot be looked at is a finding, too.
"""
