"""Where replies become outcomes: the one place that says what a reply at a point of the dialogue means for a recipient.

Knows: RFC 5321 sections 4.2.1 and 4.5.3.1.10, RFC 3463.
Does not know: who speaks, and what becomes of an outcome.
"""

import re
from enum import StrEnum

from backupmx.core.belief import Word
from backupmx.core.outcome import Deferred, Delivered, Failed, Reply

TEXT_LIMIT = 500
"""Characters of a reply that are kept."""
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)", re.ASCII)
_NOBODY = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.2.1"})
"""Addressing, and a mailbox that is disabled (RFC 3463 sections 3.2 and 3.3)."""
_FULL = ("4.5.3", "5.5.3")
_MAILBOX_OR_SIZE = ("5.2.", "5.3.4")

LOOP = Reply(554, "5.4.6 too many Received fields: the message goes round in a loop")
WINDOW_OVER = Reply(554, "5.4.7 the holding window is over")
UNSENDABLE = Reply(553, "5.1.3 no SMTP command can carry this address")
NO_SMTPUTF8 = Reply(451, "4.6.7 the address is not ASCII, and the primary does not offer SMTPUTF8")
NO_REQUIRETLS = Reply(451, "4.7.30 the sender requires TLS, and no REQUIRETLS is offered within TLS that proves who it is")
AWAY = Reply(451, "4.4.1 the mail server cannot be reached")
OUR_TROUBLE = Reply(451, "4.3.0 trouble of our own")


class Place(StrEnum):
    """What the reply answered."""

    CONNECTION = "the connection"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "the final dot"


def judge(place: Place, reply: Reply) -> type[Delivered] | type[Deferred] | type[Failed] | None:
    """What a reply means for the recipients that it answers for.

    None: nothing is said about the message; the connection is of no more use, and the message may go on another at once.
    A positive reply counts only after the dot: anywhere else it was not what had to come.
    """
    if place is Place.CONNECTION or reply.code == 421:
        return None
    if place is Place.DOT and reply.positive:
        return Delivered
    # 503 says that the dialogue is out of step, not that the message is bad
    if not reply.permanent or reply.code == 503:
        return Deferred
    if place is Place.RCPT and reply.code == 552 and not reply.text.startswith(_MAILBOX_OR_SIZE):
        return Deferred  # "too many recipients", as RFC 821 had it (RFC 5321 section 4.5.3.1.10)
    return Failed


def too_many(reply: Reply) -> bool:
    """Whether a reply to RCPT says that the transaction is full: it is for another one (RFC 5321 section 4.5.3.1.10)."""
    return reply.code in (452, 552) and reply.text.startswith(_FULL)


def teaches(reply: Reply) -> Word | None:
    """What a reply to RCPT says of the address itself; None when it may speak of us, of the sender, or of this moment."""
    if reply.code in (250, 251):
        return Word.KNOWN  # 252 says that nobody knows (RFC 5321 section 3.5.3)
    if not reply.permanent:
        return None
    if _ENHANCED.match(reply.text):
        return Word.GONE if names_nobody(reply) else None
    return Word.GONE if reply.code in (550, 551, 553) else None


def names_nobody(reply: Reply) -> bool:
    """Whether it says in so many words that there is no such address, whatever it answers."""
    enhanced = _ENHANCED.match(reply.text)
    return reply.permanent and enhanced is not None and enhanced[0] in _NOBODY


def broken(place: Place, timed_out: bool) -> type[Deferred] | None:
    """What a line that broke, or a reply that did not come, means for the recipients that wait for an answer.

    After the final dot the primary may have the message: no hurry to send it twice.
    """
    return Deferred if timed_out or place is Place.DOT else None


def silence(place: Place, timed_out: bool) -> Reply:
    """Such trouble, in the form of a reply."""
    what = "no answer in time" if timed_out else "the line broke"
    return Reply(451, f"4.4.2 {what} at {place}")


def reply(code: int, text: str) -> Reply:
    """A reply as it came, in the form that we keep: one line, valid text, of bounded length."""
    if "\n" in text:
        first, *rest = text.split("\n")
        enhanced = _ENHANCED.match(first)
        prefix = f"{enhanced[0]} " if enhanced else ""
        text = " ".join([first, *(line.removeprefix(prefix) for line in rest)])
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return Reply(code, text[:TEXT_LIMIT])
