"""A queue that looks like an outage in the middle of the week."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from backupmx.control.answers import Row
from backupmx.core import ids
from backupmx.core.belief import Acquaintance
from backupmx.core.message import Client, Envelope, Fate, Hold, Message, Progress, Proof, Recipient, Schedule
from backupmx.core.status import DomainStatus, Primary, PrimaryState, QueueStatus, Status

NOW = datetime(2026, 11, 23, 14, 35, 7, tzinfo=UTC)
CLIENT = Client("203.0.113.7", "mail.sender.example", tls="TLSv1.3 TLS_AES_256_GCM_SHA384")
NO_ROUTE = "451 4.4.1 mail.example.com[192.0.2.25]:25: connection refused"


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def to_come(**length: float) -> datetime:
    return NOW + timedelta(**length)


def id_of(number: int, arrived: datetime) -> ids.MessageId:
    """As the edge makes them (UUID version 7): the time of arrival comes first."""
    moment = int(arrived.timestamp() * 1000)
    return ids.encode(moment.to_bytes(6) + (0x7001 + number).to_bytes(2) + b"\xbc\x01\x92\x3a\x44\xe1\x00\x05")


def row(
    number: int,
    sender: str = "anna@sender.example",
    recipients: tuple[str, ...] = ("office@example.com",),
    said: str | None = NO_ROUTE,
    *,
    size: int = 4096,
    arrived: datetime = NOW - timedelta(minutes=5),
    attempts: int = 1,
    due: datetime = NOW + timedelta(minutes=5),
    owner: str | None = None,
    hold: Hold | None = None,
    damage: str | None = None,
    fates: Mapping[str, Fate] | None = None,
    client: Client = CLIENT,
    subject: str = "",
    proof: Proof = Proof.NONE,
) -> Row:
    """One message; its domains are those of its recipients."""
    fates = fates or {}
    named = tuple(Recipient(address, address.rpartition("@")[2]) for address in recipients)
    progress = {
        a: Progress(fates.get(a, Fate.PENDING), said, "mail.example.com", ago(minutes=2)) for a in recipients if said is not None
    }
    schedule = {
        r.domain: Schedule(due, attempts, attempts, owner) for r in named if fates.get(r.address, Fate.PENDING) is Fate.PENDING
    }
    message = Message(
        id=id_of(number, arrived),
        arrived=arrived,
        size=size,
        chunks=1,
        digest=bytes(16),
        envelope=Envelope(sender, named, client, proof=proof),
        schedule=schedule,
        progress=progress,
        hold=hold,
        damage=damage,
        subject=subject,
    )
    return Row(message, arrived + timedelta(days=5) if schedule else None)


def domain(
    name: str, state: PrimaryState, since: datetime | None = None, *, messages: int = 0, bytes: int = 0, **more: object
) -> DomainStatus:
    values: dict[str, object] = {
        "domain": name,
        "primary": Primary(state, since, more.pop("last_error", None)),  # type: ignore[arg-type]
        "messages": messages,
        "bytes": bytes,
        "oldest": None,
        "next_attempt": None,
        "holding_window_s": 5 * 86400,
        "held": 0,
        "quarantined": 0,
    }
    return DomainStatus(**(values | more))  # type: ignore[arg-type]


def status(*domains: DomainStatus, time: datetime = NOW, damaged: int = 0) -> Status:
    """A document whose totals fit its domains."""
    return Status(
        version="0.1.0",
        hostname="mx2.example.net",
        time=time,
        queue=QueueStatus(
            messages=sum(d.messages for d in domains),
            bytes=sum(d.bytes for d in domains),
            oldest=min((d.oldest for d in domains if d.oldest), default=None),
            held=sum(d.held for d in domains),
            quarantined=sum(d.quarantined for d in domains),
            damaged=damaged,
        ),
        domains=domains,
    )


QUIET = status(
    domain("example.com", PrimaryState.UP, ago(days=41)),
    domain("example.org", PrimaryState.UP, ago(days=12, hours=3)),
)
OUTAGE = status(
    domain("club.example", PrimaryState.UP, ago(days=41)),
    domain(
        "example.com",
        PrimaryState.DOWN,
        ago(hours=3, minutes=12),
        messages=1187,
        bytes=1_249_000_000,
        oldest=ago(hours=3, minutes=11),
        next_attempt=to_come(seconds=18),
        last_error=NO_ROUTE,
        held=1,
        acquaintance=Acquaintance(known=214, asked=612, answered=596),
    ),
    domain(
        "example.org",
        PrimaryState.UP,
        ago(days=12, hours=3),
        messages=17,
        bytes=331_000,
        oldest=ago(minutes=26),
        next_attempt=to_come(minutes=2),
        quarantined=2,
    ),
)
GREYLISTED = "450 4.2.0 <info@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example/help"
NOBODY = "550 5.1.1 <old.employee@example.org>: Recipient address rejected: User unknown in local recipient table"


def outage_rows() -> list[Row]:
    """The newest messages of `OUTAGE`, newest first."""
    return [
        row(
            15,
            "noreply@bank.example",
            ("treasurer@example.org",),
            None,
            size=21_555,
            arrived=ago(seconds=3),
            owner="courier",
            subject="Your statement for November",
            proof=Proof.DKIM,
        ),
        row(
            20,
            "anna.lindqvist@nordwind.example",
            ("office@example.com",),
            None,
            size=7_312,
            arrived=ago(seconds=41),
            attempts=0,
            subject="=?utf-8?q?F=C3=B6rslag_till_m=C3=B6te_p=C3=A5_torsdag?=",
            proof=Proof.SPF,
        ),
        row(
            19,
            "bounces+4711@news.shop.example",
            ("mira@example.com",),
            None,
            size=48_760,
            arrived=ago(minutes=2),
            attempts=0,
            subject="Only this week: everything must go",
        ),
        row(
            18,
            "j.tanaka@kaisha.example",
            ("sales@example.com", "office@example.com", "mira@example.com"),
            size=2_411_093,
            subject="Drawings for the quotation, second version",
            proof=Proof.SPF,
        ),
        row(
            17,
            "billing@hosting.example",
            ("info@example.org",),
            GREYLISTED,
            size=18_220,
            arrived=ago(minutes=26),
            attempts=2,
            due=to_come(minutes=2),
            subject="Invoice 2026-11-0815",
            proof=Proof.SPF,
        ),
        row(
            16,
            "",
            ("postmaster@example.com",),
            size=3_980,
            arrived=ago(minutes=31),
            subject="Undelivered Mail Returned to Sender",
        ),
        row(
            14,
            "ceo@examp1e.com",
            ("accounting@example.com",),
            None,
            size=5_120,
            arrived=ago(hours=1, minutes=4),
            attempts=0,
            hold=Hold("petra", "looks like fraud, asking the sender", ago(minutes=50)),
            subject="Urgent: payment today",
        ),
        row(
            13,
            "scanner@branch.example",
            ("old.employee@example.org",),
            NOBODY,
            size=1_048_576,
            arrived=ago(hours=2, minutes=2),
            fates={"old.employee@example.org": Fate.QUARANTINED},
            subject="Scan from the second floor",
        ),
    ]


CONTENT = (
    b"Received: by mx2.example.net\r\nSubject: Drawings\r\n\tfor the quotation\r\nFrom: j.tanaka@kaisha.example\r\n\r\nHello.\r\n"
)
