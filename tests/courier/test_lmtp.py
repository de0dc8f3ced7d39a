"""A primary that speaks LMTP: one reply for each recipient after the dot (RFC 2033)."""

import pytest

from backupmx.core.message import Fate
from backupmx.core.outcome import Deferred, Delivered, Failed
from backupmx.core.status import PrimaryState
from backupmx.courier.client import Connection
from tests.courier.house import house, put, until
from tests.courier.papers import demanding, dialled
from tests.courier.primary import DROP, EXTENSIONS, ScriptedPrimary
from tests.courier.test_aiosmtplib import PLAIN, carried
from tests.relay.house import house as edge
from tests.relay.house import sent

TO = ("a@example.com", "b@example.com", "c@example.com")


async def connected(primary: ScriptedPrimary) -> Connection:
    found = await dialled(demanding([f"lmtp://127.0.0.1:{primary.port}"]))
    assert isinstance(found, Connection), found
    return found


@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["ahead", "in turn"])
async def test_each_recipient_has_the_reply_that_was_said_for_it(extensions: tuple[str, ...]) -> None:
    """I1: in the order in which they were taken, without those that were refused; the line stays in step."""
    primary = ScriptedPrimary(extensions, lmtp=True)
    primary.on("RCPT", "550 5.1.1 nobody", having="<b@").on("DOT", "452 4.2.2 full", having="c@", times=1)
    async with primary:
        connection = await connected(primary)
        report = await carried(connection, *TO)
        assert [type(report.outcomes[each]) for each in TO] == [Delivered, Failed, Deferred]
        again = await carried(connection, "a@example.com", "c@example.com")
        assert {type(outcome) for outcome in again.outcomes.values()} == {Delivered}
        assert [got.rcpts for got in primary.received] == [["a@example.com"], ["a@example.com", "c@example.com"]]
        assert primary.commands[0] == "LHLO mx2.example.net"
        await connection.quit()


async def test_a_line_that_breaks_among_the_replies_puts_off_those_that_are_open() -> None:
    """I1: what was said is believed; the rest may have been delivered, and is asked for again later."""
    async with ScriptedPrimary(lmtp=True).on("DOT", DROP, having="b@") as primary:
        report = await carried(await connected(primary), *TO)
        assert [type(report.outcomes[each]) for each in TO] == [Delivered, Deferred, Deferred]


async def test_who_takes_nobody_gets_no_content() -> None:
    """RFC 2033 section 4.2: DATA is refused then; if it is granted all the same, the line is out of step."""
    async with ScriptedPrimary(lmtp=True).on("RCPT", "450 4.2.1 later").on("DATA", "354 go on") as primary:
        report = await carried(await connected(primary), *TO)
        assert {type(outcome) for outcome in report.outcomes.values()} == {Deferred}
        assert not primary.ends


async def test_a_server_that_speaks_smtp_is_not_mistaken_for_one() -> None:
    """No reply to one recipient is taken for that of another."""
    async with ScriptedPrimary() as primary, house(demanding([f"lmtp://127.0.0.1:{primary.port}"])) as at:
        await put(at.spool)
        at.courier.wake()
        await until(lambda: at.primary() == "down")
        assert not primary.verbs["MAIL"]


async def test_mail_goes_through_the_courier() -> None:
    """Probe, lease and settlement are the same."""
    primary = ScriptedPrimary(lmtp=True).on("DOT", "550 5.7.1 no", having="b@")
    async with primary, house(demanding([f"lmtp://127.0.0.1:{primary.port}"])) as at:
        id = await put(at.spool, *TO)
        at.courier.wake()
        await until(lambda: at.said(id, TO[2]))
        assert [at.spool.get(id).fate(each) for each in TO] == [Fate.DELIVERED, Fate.QUARANTINED, Fate.DELIVERED]


async def test_in_a_session_recipients_are_asked_for_and_mail_is_kept() -> None:
    """A sender could not be told three replies: the callout tells who exists, the spool takes the content."""
    primary = ScriptedPrimary(lmtp=True).on("RCPT", "550 5.1.1 nobody", having="nobody")
    async with primary, edge(primary, scheme="lmtp://") as at:
        at.primaries(PrimaryState.UP)
        told = await sent(at, "a@example.com", "nobody@example.com")
        assert [reply[:3] for reply in told.rcpts] == ["250", "550"]
        assert told.taken
        assert at.spooled() == ["a@example.com"]
        assert not primary.received
