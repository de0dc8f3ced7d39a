"""What an admin may do with messages, in the words of the page.

Knows: each verb's button, what it does, and how it is told before and afterwards.
Does not know: who may do it, how it is done, HTML.
"""

from dataclasses import dataclass

from backupmx.control.requests import Verb
from backupmx.core import words
from webui import tongue
from webui.tongue import Forms, forms, ngettext
from webui.tongue import gettext as _
from webui.tongue import lazy_gettext as _l


@dataclass(frozen=True, slots=True)
class Deed:
    """One verb."""

    button: str
    about_to: Forms
    about_to_at_least: Forms
    about_to_whatever: str
    """Where nobody knows how many these are."""
    nothing_to: str
    """When no message is in a state that the verb moves."""
    means: str
    """What comes of it."""
    did: Forms
    left: str
    """Why some of them may stay as they were."""
    wants_reason: bool = True
    final: bool = False
    """Whether nothing brings the messages back."""


DEEDS = {
    Verb.RETRY: Deed(
        _l("Try now"),
        forms("You are about to try to deliver %(num)s message.", "You are about to try to deliver %(num)s messages."),
        forms(
            "You are about to try to deliver at least %(num)s message.",
            "You are about to try to deliver at least %(num)s messages.",
        ),
        _l("You are about to try to deliver whatever matches."),
        _l("There is no message to try to deliver: what is not waiting is not tried."),
        _l("They are offered to the primary at once, instead of at their next time. While it is down, they go when it is back."),
        forms("To be tried now: %(num)s message.", "To be tried now: %(num)s messages."),
        _l("what is not waiting is not tried"),
        wants_reason=False,
    ),
    Verb.HOLD: Deed(
        _l("Hold"),
        forms("You are about to hold %(num)s message.", "You are about to hold %(num)s messages."),
        forms("You are about to hold at least %(num)s message.", "You are about to hold at least %(num)s messages."),
        _l("You are about to hold whatever matches."),
        _l("There is no message to hold: only what waits can be held."),
        _l("They stay here until somebody releases them; their holding window stands still."),
        forms("Held: %(num)s message.", "Held: %(num)s messages."),
        _l("only what waits can be held"),
    ),
    Verb.RELEASE: Deed(
        _l("Release"),
        forms("You are about to release %(num)s message.", "You are about to release %(num)s messages."),
        forms("You are about to release at least %(num)s message.", "You are about to release at least %(num)s messages."),
        _l("You are about to release whatever matches."),
        _l("There is no message to release: only what is held, quarantined or damaged can be released."),
        _l("They go on as if they had never stopped: what was held, quarantined or damaged is delivered as soon as it can be."),
        forms("Released: %(num)s message.", "Released: %(num)s messages."),
        _l("only what is held, quarantined or damaged can be released"),
    ),
    Verb.BOUNCE: Deed(
        _l("Send back"),
        forms("You are about to send back %(num)s message.", "You are about to send back %(num)s messages."),
        forms("You are about to send back at least %(num)s message.", "You are about to send back at least %(num)s messages."),
        _l("You are about to send back whatever matches."),
        _l(
            "There is no message to send back: "
            "a sender that was not authenticated may not be told; “Delete” removes such a message."
        ),
        _l(
            "Their senders are told that they were not delivered, and the messages are gone from here. "
            "Only a sender that was authenticated when the message came in is told anything; other messages stay where they are."
        ),
        forms("Sent back: %(num)s message.", "Sent back: %(num)s messages."),
        _l("a sender that was not authenticated may not be told; “Delete” removes such a message"),
        final=True,
    ),
    Verb.DELETE: Deed(
        _l("Delete"),
        forms("You are about to delete %(num)s message.", "You are about to delete %(num)s messages."),
        forms("You are about to delete at least %(num)s message.", "You are about to delete at least %(num)s messages."),
        _l("You are about to delete whatever matches."),
        _l("There is no message to delete: it was gone already."),
        _l("They are removed for ever, and nobody is told."),
        forms("Deleted: %(num)s message.", "Deleted: %(num)s messages."),
        _l("it was gone already"),
        final=True,
    ),
}


def about_to(verb: Verb, count: int, all: bool) -> str:
    """`You are about to delete 1,204 messages.`"""
    deed = DEEDS[verb]
    if count or all:
        return ngettext(*(deed.about_to if all else deed.about_to_at_least), count)
    return f"{deed.about_to_whatever} {_('None was found so far, and there is more to look at.')}"


def button(verb: Verb, count: int, all: bool) -> str:
    """`Delete: 1,204 messages`."""
    return f"{DEEDS[verb].button}: {words.messages(count, tongue) if all else _('all of them')}"


def did(verb: Verb, changed: int, meant: int | None = None) -> str:
    """`Deleted: 3 messages.`, and why others were not; `meant` is how many were named."""
    deed = DEEDS[verb]
    said = ngettext(*deed.did, changed)
    if meant is None or changed >= meant:
        return said
    others = ngettext(
        "%(num)s message stayed as before: %(why)s.",
        "%(num)s messages stayed as before: %(why)s.",
        meant - changed,
        why=deed.left,
    )
    return f"{said} {others}"


def nothing_to(verb: Verb) -> str:
    """When no message is in a state that the verb moves."""
    return str(DEEDS[verb].nothing_to)
