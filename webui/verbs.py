"""What an admin may do with messages, in the words of the page.

Knows: each verb's button, what it does, and how it is told afterwards.
Does not know: who may do it, how it is done, HTML.
"""

from dataclasses import dataclass

from backupmx.control.requests import Verb
from backupmx.core import words


@dataclass(frozen=True, slots=True)
class Deed:
    """One verb."""

    button: str
    about_to: str
    """After "You are about to", before the number of messages."""
    means: str
    """What comes of it."""
    did: str
    """Before the number of messages."""
    left: str
    """Why some of them may stay as they were."""
    wants_reason: bool = True
    final: bool = False
    """Whether nothing brings the messages back."""


DEEDS = {
    Verb.RETRY: Deed(
        "Try now",
        "try to deliver",
        "They are offered to the primary at once, instead of at their next time. While it is down, they go when it is back.",
        "To be tried now:",
        "what is not waiting is not tried",
        wants_reason=False,
    ),
    Verb.HOLD: Deed(
        "Hold",
        "hold",
        "They stay here until somebody releases them; their holding window stands still.",
        "Held:",
        "only what waits can be held",
    ),
    Verb.RELEASE: Deed(
        "Release",
        "release",
        "They go on as if they had never stopped: what was held, quarantined or damaged is delivered as soon as it can be.",
        "Released:",
        "only what is held, quarantined or damaged can be released",
    ),
    Verb.BOUNCE: Deed(
        "Send back",
        "send back",
        "Their senders are told that they were not delivered, and the messages are gone from here. "
        "Only a sender that was authenticated when the message came in is told anything; other messages stay where they are.",
        "Sent back:",
        "a sender that was not authenticated may not be told; “Delete” removes such a message",
        final=True,
    ),
    Verb.DELETE: Deed(
        "Delete",
        "delete",
        "They are removed for ever, and nobody is told.",
        "Deleted:",
        "it was gone already",
        final=True,
    ),
}


def about_to(verb: Verb, count: int, all: bool) -> str:
    """`You are about to delete 1,204 messages.`"""
    if not count and not all:
        return f"You are about to {DEEDS[verb].about_to} whatever matches. None was found so far, and there is more to look at."
    least = "" if all else "at least "
    return f"You are about to {DEEDS[verb].about_to} {least}{words.messages(count)}."


def button(verb: Verb, count: int, all: bool) -> str:
    """`Delete 1,204 messages`."""
    return f"{DEEDS[verb].button}: {words.messages(count) if all else 'all of them'}"


def did(verb: Verb, changed: int, meant: int | None = None) -> str:
    """`Deleted: 3 messages.`, and why others were not; `meant` is how many were named."""
    said = f"{DEEDS[verb].did} {words.messages(changed)}."
    if meant is not None and changed < meant:
        said += f" {words.messages(meant - changed)} stayed as before: {DEEDS[verb].left}."
    return said


def nothing_to(verb: Verb) -> str:
    """When no message is in a state that the verb moves."""
    return f"There is no message to {DEEDS[verb].about_to}: {DEEDS[verb].left}."
