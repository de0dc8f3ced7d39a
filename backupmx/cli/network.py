"""`backupmx check --network`: has everything looked at now, and tells what was found."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from backupmx.checks import alone
from backupmx.checks.port25 import Came
from backupmx.checks.round import Told
from backupmx.cli.terminal import Column, plain, say, show, show_json, show_table
from backupmx.config import Settings
from backupmx.control.answers import LifeRow, RecipientRow, Refused, StatusAnswer
from backupmx.control.client import ControlClient
from backupmx.control.requests import GetStatus, ListRecipients, TrackMessages
from backupmx.core.belief import EVERYBODY, Word
from backupmx.core.finding import Finding, Level
from backupmx.core.roster import EVERYONE
from backupmx.errors import ControlUnavailable

COLUMNS = (Column("LEVEL"), Column("WHAT"), Column("WHOSE"), Column("FOUND", whole=False))
TO_MEND = (Level.BAD, Level.ODD, Level.UNKNOWN)
SOME, SOME_AMONG = 5, 100
TRACKED_S = 2.0


def tell(settings: Settings, *, as_json: bool) -> int:
    """Look, and tell; returns the exit status: 1 when something is bad, 0 also for what is odd or cannot be known."""
    found = findings(settings)
    if as_json:
        for finding in found:
            show_json(finding)
    else:
        _show(found)
    return 1 if any(finding.level is Level.BAD for finding in found) else 0


def findings(settings: Settings) -> Sequence[Finding]:
    """Look at everything, while a person waits."""
    with _progress() as step:
        return alone.look(settings, _told(settings), step)


def _show(findings: Sequence[Finding]) -> None:
    show_table(COLUMNS, ((each.level.value, each.topic, each.subject or "this machine", each.said) for each in findings))
    for level in TO_MEND:
        for finding in findings:
            if finding.level is level:
                show()
                show(f"{level.value}: {finding.topic} {finding.subject}".rstrip() + f": {finding.said}")
                show(f"  {finding.mend}")
    count = Counter(finding.level for finding in findings)
    say(", ".join(f"{count[level]} {level.value}" for level in Level))


# What the running server knows


def _told(settings: Settings) -> Told:
    """With its help, if there is one: whose primary it does not believe, who is known, what came in."""
    client = ControlClient(settings.control.socket)
    try:
        answer = client.ask(GetStatus())
        if not isinstance(answer, StatusAnswer):
            return Told()
        domains = answer.status.domains
        return Told(
            # whether they are up is seen now
            {domain.domain: domain.primary for domain in domains if domain.doubtful},
            {domain.domain: domain.acquaintance for domain in domains if domain.acquaintance},
            {name: _some(client, name) for name in settings.domains},
            _came(client),
        )
    except ControlUnavailable as error:
        say(f"{error}", "without the running server it is not seen who is known to exist, and whether mail came in")
        return Told()


def _some(client: ControlClient, domain: str) -> Sequence[str]:
    found = client.page(ListRecipients(domain, limit=SOME_AMONG))
    rows = () if isinstance(found, Refused) else found[0]
    known = [row.local for row in rows if isinstance(row, RecipientRow) and (row.listed or row.word is Word.KNOWN)]
    return [local for local in known if local not in (EVERYBODY, EVERYONE)][:SOME]


def _came(client: ControlClient) -> Came | None:
    found = client.page(TrackMessages(limit=1, seconds=TRACKED_S))
    rows: Iterable[object] = () if isinstance(found, Refused) else found[0]
    return next((Came(row.life.client.address, row.life.arrived) for row in rows if isinstance(row, LifeRow)), None)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being looked at, while a person waits."""
    if not sys.stderr.isatty():
        yield lambda _what: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Console(stderr=True).status("looking") as status:
        yield lambda what: status.update(Text(plain(f"looking: {what}")))
