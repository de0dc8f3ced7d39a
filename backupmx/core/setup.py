"""What somebody answers who sets a machine up, as it was typed.

Knows: the questions.
Does not know: what is right, where it is written.
"""

from msgspec import Struct


class Answers(Struct, frozen=True):
    """One machine, one domain, one admin."""

    domain: str
    """The one to protect."""
    primary: str
    """Its mail servers with commas between them; empty for its MX hosts."""
    hostname: str
    """What this server is called in DNS."""
    name: str
    """Of the admin."""
    password_hash: str
    alert: str = ""
    """A URL as Apprise has them; empty: nobody is told when something is wrong."""
