"""Carries one leased message over a connection, and closes its lease, whatever happens.

Knows: the connection, the ledger, how many recipients go in one transaction.
Does not know: the route, and other messages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from backupmx.core import judge, schedule
from backupmx.core.message import Lease
from backupmx.core.outcome import Deferred, Delivered, Outcome, Reply
from backupmx.courier.client import Connection
from backupmx.courier.ledger import Ledger
from backupmx.errors import MessageDamaged, SpoolError
from backupmx.watch import log

RECIPIENTS = 100
"""In one transaction; every server takes as many (RFC 5321 section 4.5.3.1.8)."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What it means for the connection and its route."""

    delivered: bool = False
    broken: Reply | None = None
    """Why the connection is of no more use."""
    again: bool = False
    """The connection was dead already: the lease is still open, and its content unread."""


async def carry(ledger: Ledger, lease: Lease, content: Iterator[bytes], connection: Connection) -> Carried:
    """Ask the primary, and settle. Raises SpoolError."""
    reused = connection.carried > 0
    outcomes: dict[str, Outcome] = {}
    broken: Reply | None = None
    try:
        for start in range(0, len(lease.recipients), RECIPIENTS):
            some = lease.recipients[start : start + RECIPIENTS]
            report = await connection.carry(lease.message, some, ledger.content(lease) if start else content)
            if report.stale and reused and not start:
                return Carried(broken=report.broken, again=True)
            outcomes |= report.outcomes
            broken = report.broken
            if broken:
                break
    except MessageDamaged as error:
        # what the primary said before is kept; the connection ended before the dot
        if outcomes:
            await ledger.close(lease, outcomes)
        await ledger.set_aside(lease, error)
        return Carried()
    except SpoolError:
        connection.abort()
        raise
    except Exception as error:  # noqa: BLE001 - a bug is our own trouble: a deferral (I9)
        connection.abort()
        log.trouble(f"carrying {lease.message.id}", error)
        outcomes = _deferred(lease, judge.OUR_TROUBLE, connection) | outcomes
    if broken and schedule.suspect(lease.message.schedule[lease.domain]):
        outcomes = _deferred(lease, broken, connection) | outcomes
    await ledger.close(lease, outcomes)
    return Carried(any(isinstance(outcome, Delivered) for outcome in outcomes.values()), broken)


def _deferred(lease: Lease, reply: Reply, connection: Connection) -> dict[str, Outcome]:
    return {address: Deferred(reply, connection.peer.host, connection.peer.tls) for address in lease.recipients}
