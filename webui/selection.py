"""What a reader chose to see, as it stands in the page's address: filters of the queue and of the track.

Knows: the names in the address, which values make sense.
Does not know: HTML, who asks, the clock (it is given `now`).

An address may come from anywhere: what is in it is cut, and rid of characters that nobody can see.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from backupmx.core import ids, notation
from backupmx.core.message import NOTICES, State
from backupmx.core.queue import Filter
from backupmx.core.schedule import LONGEST_WINDOW
from backupmx.core.track import Wanted
from webui import words

LONGEST = 200
"""Characters of one value."""
AGES = ("10m", "1h", "4h", "12h", "1d", "3d", "7d")
"""What is offered; any other length of time may stand in the address."""


class Chosen(Struct, frozen=True):
    """Messages of the queue; an empty part chooses all."""

    domain: str = ""
    sender: str = ""
    recipient: str = ""
    subject: str = ""
    state: str = ""
    older: str = ""
    """Arrived longer ago than this length of time."""
    after: str = ""
    """The last message of the page before."""

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.args()

    def filter(self, now: datetime) -> Filter:
        """For the control socket."""
        before = now - notation.duration(self.older) if self.older else None
        return Filter(
            domain=self.domain or None,
            sender=self.sender or None,
            recipient=self.recipient or None,
            subject=self.subject or None,
            state=State(self.state) if self.state else None,
            before=before,
        )

    def args(self, **more: str) -> dict[str, str]:
        """For an address: what is chosen, but not where a page begins."""
        chosen = {name: getattr(self, name) for name in self.__struct_fields__ if name != "after"} | more
        return {name: value for name, value in chosen.items() if value}


class Sought(Struct, frozen=True):
    """Lives of the track; an empty part seeks all."""

    id: str = ""
    sender: str = ""
    recipient: str = ""
    host: str = ""
    since: str = ""
    until: str = ""
    after: str = ""

    def wanted(self) -> Wanted:
        """For the control socket."""
        return Wanted(
            id=self.id or None,
            sender=self.sender or None,
            recipient=self.recipient or None,
            host=self.host or None,
            since=_moment(self.since),
            until=_moment(self.until),
        )

    def args(self, **more: str) -> dict[str, str]:
        """For an address: what is sought, but not where a page begins."""
        sought = {name: getattr(self, name) for name in self.__struct_fields__ if name != "after"} | more
        return {name: value for name, value in sought.items() if value}


def chosen(args: Mapping[str, str]) -> tuple[Chosen, tuple[str, ...]]:
    """What an address chooses, and the names of those parts that make no sense: these are left out."""
    checks = {"domain": _check_domain, "state": State, "older": _check_age, "after": ids.decode}
    values, wrong = _values(Chosen, args, checks)
    if values.get("domain") and values["domain"] != NOTICES:
        values["domain"] = notation.domain(values["domain"])
    return Chosen(**values), wrong


def sought(args: Mapping[str, str]) -> tuple[Sought, tuple[str, ...]]:
    """What an address seeks, and the names of those parts that make no sense: these are left out."""
    checks = {"id": ids.abbreviation_range, "since": moment, "until": moment, "after": ids.decode}
    values, wrong = _values(Sought, args, checks)
    return Sought(**values), wrong


def moment(text: str) -> datetime:
    """As `datetime.isoformat` has it, in UTC where nothing else is said. Raises ValueError."""
    found = datetime.fromisoformat(text)
    if not 1970 < found.year < 9999:
        raise ValueError("no message is of that time")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _moment(text: str) -> datetime | None:
    return moment(text) if text else None


def _values(
    kind: type[Struct], args: Mapping[str, str], checks: Mapping[str, Callable[[str], object]]
) -> tuple[dict[str, str], tuple[str, ...]]:
    values = {name: words.seen(args.get(name, "")).strip()[:LONGEST] for name in kind.__struct_fields__}
    wrong = tuple(name for name, check in checks.items() if values[name] and not _holds(check, values[name]))
    return {name: value for name, value in values.items() if name not in wrong}, wrong


def _holds(check: Callable[[str], object], value: str) -> bool:
    try:
        check(value)
    except (ValueError, OverflowError):
        return False
    return True


def _check_domain(text: str) -> None:
    if text != NOTICES:
        notation.domain(text)


def _check_age(text: str) -> None:
    if notation.duration(text) > LONGEST_WINDOW:
        raise ValueError("longer than anything is kept")
