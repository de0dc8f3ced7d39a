"""Hands a domain's whole list of recipients to the server, in parts: the same from the command line and over HTTP.

Knows: how a list is read from octets, how the roll spells a local part, the order of the requests, how long each may be.
Does not know: who asks, where the list came from, how it is kept.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

from backupmx.control.answers import AnyAnswer, Done, ListNumber, ListsAnswer, Refused
from backupmx.control.requests import AnyRequest, BeginList, CloseList, Enlist
from backupmx.core.roll import Adopted, Lists
from backupmx.core.roster import Roster, spellings

PART = 1000
PART_OCTETS = 60 * 1024
"""Less than half of what a request may take: quotes in local parts need escapes."""
MISFIT = Refused(("an answer that fits no question",))
_COUNTED = re.compile(r"and (\d+) more")

Ask = Callable[[AnyRequest], AnyAnswer]


def text_of(data: bytes) -> str:
    """A list as it was written: UTF-8, or what Windows writes; what is neither shows up as problems of its lines."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # the mark of replacement could be a part of an address
        return data.decode("utf-16", errors="replace").replace("\ufffd", "\udcff")
    return data.decode("utf-8", errors="surrogateescape")


def spelt(local: str) -> str:
    """As the roll keeps it."""
    return spellings(local, "", fold_case=True)[0]


def faults(roster: Roster) -> int:
    """How many problems there are, those that are counted and not told too."""
    if not roster.problems:
        return 0
    counted = _COUNTED.fullmatch(roster.problems[-1])
    return len(roster.problems) - 1 + int(counted[1]) if counted else len(roster.problems)


def hand_in(ask: Ask, domain: str, locals: Iterable[str], by: str) -> Lists | Refused:
    """Returns the domain's lists when all of it is there: it counts, or it waits; or why it does not count."""
    begun = ask(BeginList(domain))
    if not isinstance(begun, ListNumber):
        return _refusal(begun)
    for part in _parts(locals):
        taken = ask(Enlist(domain, begun.number, part))
        if not isinstance(taken, Done):
            return _refusal(taken)
    closed = ask(CloseList(domain, begun.number, by))
    return closed.lists if isinstance(closed, ListsAnswer) else _refusal(closed)


def newest(lists: Lists) -> Adopted:
    """The list that was just handed in, whether it counts or waits."""
    return lists.waiting or lists.adopted or Adopted(lists.last, 0)


def lacking(domain: str, lists: Lists) -> str:
    """What to tell of a list that waits."""
    today = lists.adopted.entries if lists.adopted else 0
    return (
        f"{domain}: this list lacks {newest(lists).lost:,} of the {today:,} addresses of today's list, more than a tenth: "
        f"it waits, and today's list counts. If it is right: backupmx recipients approve {domain}"
    )


def _parts(locals: Iterable[str]) -> Iterator[tuple[str, ...]]:
    part: list[str] = []
    octets = 0
    for local in locals:
        length = len(local.encode(errors="surrogatepass"))
        if part and (len(part) == PART or octets + length > PART_OCTETS):
            yield tuple(part)
            part, octets = [], 0
        part.append(local)
        octets += length
    if part:
        yield tuple(part)


def _refusal(answer: AnyAnswer) -> Refused:
    return answer if isinstance(answer, Refused) else MISFIT
