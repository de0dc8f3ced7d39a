"""Tells people who are not looking that something is wrong, and that it is right again.

Knows: the once-a-minute look at everything, what was told already, Apprise.
Does not know: what is wrong and when somebody is to be told (`core.conditions`, `core.alerts`), how mail is kept and given back.
"""
