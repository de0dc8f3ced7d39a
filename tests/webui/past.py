"""How it went before the outage of `samples`, and what became of mail."""

from datetime import UTC, datetime, timedelta

from samples import CLIENT, NO_ROUTE, NOBODY, NOW, ago, id_of

from backupmx.control.answers import Row
from backupmx.core import books
from backupmx.core.books import Line
from backupmx.core.events import Held, Result, Told, Tried
from backupmx.core.finding import About
from backupmx.core.history import LENGTH, STEP, History, Month, Outage, Point, Span
from backupmx.core.message import Kind
from backupmx.core.queue import SpoolStats
from backupmx.core.track import Life, Record, Standing

TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384"


def records(rows: list[Row]) -> dict[str, Record]:
    """What happened so far to some of them, as the track has it."""
    found = {}
    for known in rows:
        learned = list(known.message.progress.values())
        if learned:
            result = Result.FAILED if learned[0].said.startswith("5") else Result.DEFERRED
            whom = tuple(range(len(learned)))
            event = Tried(ago(minutes=2), result, whom, learned[0].said, learned[0].host, TLS, 2, ago(minutes=20))
            found[known.message.id] = Record((event,))
        elif known.message.hold:
            found[known.message.id] = Record((Held(ago(minutes=50), "petra", known.message.hold.why),))
    return found


def gone(number: int, standing: Standing, *events: Tried | Told, arrived: datetime, **more: object) -> Life:
    """A message that has left the spool, or never was there."""
    values: dict[str, object] = {
        "id": id_of(number, arrived),
        "arrived": arrived,
        "size": 6_144,
        "sender": "anna@sender.example",
        "recipients": ("office@example.com",),
        "client": CLIENT,
        "standing": standing,
        "events": events,
        "ended": events[-1].at if events else arrived,
    }
    return Life(**(values | more))  # type: ignore[arg-type]


def lives_gone() -> list[Life]:
    """Newest first."""
    taken = "250 2.0.0 Ok: queued as 4cJt1"
    host = "mail.example.com"
    return [
        gone(
            5,
            Standing.RELAYED,
            Tried(ago(hours=4), Result.RELAYED, (0,), taken, host, TLS),
            arrived=ago(hours=4),
            sender="petra@partner.example",
        ),
        gone(
            4,
            Standing.DELIVERED,
            Tried(ago(days=2, hours=3), Result.DEFERRED, (0,), NO_ROUTE, "", None, 3, ago(days=2, hours=4)),
            Tried(ago(days=2, hours=2), Result.DELIVERED, (0,), taken, host, TLS),
            arrived=ago(days=2, hours=4),
        ),
        gone(
            3,
            Standing.RETURNED,
            Tried(ago(days=9), Result.FAILED, (0,), NOBODY, host, TLS),
            Told(ago(days=9), Kind.FAILED, (0,), id_of(99, ago(days=9))),
            arrived=ago(days=9, minutes=1),
        ),
    ]


AWAY_SINCE = ago(hours=3, minutes=12)
OUTAGES = (
    Outage("example.com", ago(days=19, hours=6), ago(days=19, hours=5, minutes=19), "451 4.4.1 connection refused"),
    Outage("example.com", ago(days=3, hours=4), ago(days=3, hours=1), NO_ROUTE),
    Outage("example.org", ago(days=12, hours=3, minutes=9), ago(days=12, hours=3), "no answer"),
    Outage("example.com", AWAY_SINCE, None, NO_ROUTE),
)


def history(span: Span, outages: tuple[Outage, ...] = OUTAGES) -> History:
    """Quiet mail by day, less by night, and what waits since the primary went away; the server itself was off for an hour."""
    points, waiting, room = [], 0, 42 * 2**30
    for number in range(int(LENGTH[span] / STEP[span])):
        at = NOW.replace(second=0) - LENGTH[span] + (number + 1) * STEP[span]
        if ago(hours=11) < at < ago(hours=10):
            continue
        minutes = STEP[span] / timedelta(minutes=1)
        busy = 1 + (number * 7919 % 13) / 4 + (4 if 7 < at.hour < 18 else 0)
        came = int(busy * minutes / 2)
        away = any(o.domain == "example.com" and o.began < at and (o.ended is None or at < o.ended) for o in outages)
        part = (at - AWAY_SINCE) / (NOW - AWAY_SINCE)
        waiting = 17 + round(1187 * part**0.7 + 0.4) if part > 0 and outages else waiting // 4
        room -= came * 2**17 if away else 0
        refused = {"unknown_recipient": came // 3, "unverified_recipient": came // 2 if away else 0}
        refused |= {"too_many_errors": number % 3, "harvesting": number % 5 // 4 * 4, "relaying_denied": number % 7 // 6}
        points.append(
            Point(
                at,
                waiting,
                waiting * 40_000,
                came if away else 0,
                0 if away else came,
                came,
                {k: n for k, n in refused.items() if n},
                room,
            )
        )
    return History(span, tuple(points), tuple(o for o in outages if (o.ended or NOW) > NOW - LENGTH[span]))


def booked() -> dict[str, dict[int, Line]]:
    """Books that balance, and fit `OUTAGE`."""
    today = books.day(NOW)
    return {
        "club.example": {today - 2: Line(41, 41)},
        "example.com": {
            today: Line(1204, 16, waiting=1187, held=1),
            today - 1: Line(212, 212),
            today - 3: Line(640, 637, returned=2, removed=1),
        },
        "example.org": {today: Line(88, 69, waiting=17, quarantined=2), today - 5: Line(9, 9)},
    }


def months() -> tuple[Month, ...]:
    """November, all together and each."""
    first = datetime(2026, 11, 1, tzinfo=UTC)
    sums = {
        name: books.Line(*map(sum, zip(*(line.columns() for line in days.values()), strict=True)))
        for name, days in booked().items()
    }
    away = {
        "club.example": (0, timedelta()),
        "example.com": (3, timedelta(hours=6, minutes=53)),
        "example.org": (1, timedelta(minutes=9)),
    }
    each = [
        Month(first, name, *away[name], line.accepted, line.difference, timedelta(minutes=41 * away[name][0]), line)
        for name, line in sums.items()
    ]
    total = books.Line(*map(sum, zip(*(month.line.columns() for month in each), strict=True)))
    return (Month(first, "", 4, timedelta(hours=7, minutes=2), total.accepted, 0, timedelta(hours=2, minutes=3), total), *each)


STATS = SpoolStats(
    layout=2,
    map_size=2**40,
    map_used=2**31,
    file_size=2**31,
    disk_free=44 * 2**30,
    reserve=2**30,
    room=42 * 2**30,
    unfinished=0,
)
FINDINGS = (
    About("certificate").good("It is good for 61 d more."),
    About("clock").good("It is right."),
    About("mx", "example.com").good("We are listed, behind the primary."),
    About("ptr").odd("192.0.2.7 has the name vps-7.hoster.example.", "Ask who gave you the address to name it mx2.example.net."),
)
