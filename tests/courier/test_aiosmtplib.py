"""What the client library gets wrong for us, each held to by a test that fails without our own way round it."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import trustme
import uvloop

from backupmx.core.ids import MessageId
from backupmx.core.message import Fate, State
from backupmx.core.outcome import Deferred, Delivered, Failed
from backupmx.courier.client import Connection, Dialler, Unreachable
from backupmx.courier.routes import Address
from backupmx.courier.transaction import Parcel, Patience, Report
from backupmx.spool.memory import MemorySpool
from tests.courier.house import CONTENT, HASTE, START, house, put, settings, until
from tests.courier.primary import EXTENSIONS, SILENCE, ScriptedPrimary

PLAIN = tuple(word for word in EXTENSIONS if word != "PIPELINING")


async def dialled(primary: ScriptedPrimary, patience: Patience = HASTE) -> Connection:
    """A session with a primary."""
    found = await Dialler("mx2.example.net", patience).dial([Address("127.0.0.1", "127.0.0.1", primary.port)])
    assert isinstance(found, Connection), found
    return found


async def carried(connection: Connection, *recipients: str, content: bytes = CONTENT, **more: object) -> Report:
    """One message over it."""
    spool = MemorySpool()
    id = await put(spool, *recipients, content=content, **more)
    message = spool.messages[id]
    return await connection.carry(Parcel(message, message.pending(), 60), spool.content(id))


async def test_1_one_accepted_recipient_does_not_hide_those_that_were_refused() -> None:
    """`sendmail()` returns normally; we take an outcome for each."""
    async with (
        ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="b@") as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        id = await put(at.spool, "a@example.com", "b@example.com")
        at.courier.wake()
        await until(lambda: at.said(id, "b@example.com"))
        assert at.spool.get(id).fate("a@example.com") is Fate.DELIVERED
        assert at.spool.get(id).fate("b@example.com") is Fate.QUARANTINED


async def test_2_a_reply_to_the_dot_other_than_exactly_250_can_be_success() -> None:
    """RFC 5321 section 4.2.1: the first digit decides."""
    async with ScriptedPrimary().on("DOT", "252 taken all the same") as primary:
        connection = await dialled(primary)
        report = await carried(connection, "a@example.com")
        await connection.quit()
        assert isinstance(report.outcomes["a@example.com"], Delivered)


async def test_3_a_lone_cr_does_not_become_a_line_end() -> None:
    """I6: one header line does not leave as two; nothing but CRLF goes over the wire."""
    async with ScriptedPrimary() as primary:
        connection = await dialled(primary)
        await carried(connection, "a@example.com", content=b"Subject: a\rX-Spam-Status: No\r\n\r\na\nb\0c\r\n.\r.\r\n")
        await connection.quit()
        assert primary.received[0].content == b"Subject: a X-Spam-Status: No\r\n\r\na\r\nb c\r\n. .\r\n"


async def test_3_a_large_message_is_written_piece_by_piece() -> None:
    """I4: the next piece is read only once the primary has taken most of what was written."""
    async with ScriptedPrimary() as primary:
        read = 0

        def content() -> Iterator[bytes]:
            nonlocal read
            for _ in range(512):
                read += 1
                yield b"0123456789abcdef" * 4096 + b"\r\n"

        held = asyncio.Event()
        primary.hold_body = held
        connection = await dialled(primary)
        spool = MemorySpool()
        message = spool.messages[await put(spool)]
        sending = asyncio.create_task(connection.carry(Parcel(message, message.pending(), 60), content()))
        await until(lambda: primary.verbs["DATA"] == 1)
        pieces = -1
        while pieces != read:
            pieces = read
            await asyncio.sleep(0.05)
        assert read < 256
        held.set()
        report = await sending
        await connection.quit()
        assert isinstance(report.outcomes["user@example.com"], Delivered)
        assert read == 512


async def test_3_the_reply_time_does_not_run_while_content_is_sent() -> None:
    """A message that takes longer to send than a reply may take arrives."""
    async with ScriptedPrimary() as primary:

        def content() -> Iterator[bytes]:
            for _ in range(10):
                time.sleep(0.05)
                yield b"slow\r\n"

        connection = await dialled(primary, Patience(connect=5, command=5, data=5, block=5, dot=0.3, quit=1))
        spool = MemorySpool()
        message = spool.messages[await put(spool)]
        report = await connection.carry(Parcel(message, message.pending(), 60), content())
        await connection.quit()
        assert isinstance(report.outcomes["user@example.com"], Delivered)


@pytest.mark.parametrize("address", ["a\rb@example.com", "a\nRCPT TO:<c@example.com", "a\0@example.com", "a> SIZE=1@example.com"])
async def test_4_an_address_that_no_command_can_carry_ends_in_quarantine(address: str) -> None:
    """I2: it is not sent in any form, and does not come up again and again; the other recipients have their mail."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        id = await put(at.spool, "good@example.com", content=CONTENT)
        bad = at.spool.messages[id]
        spoilt = bad.envelope.recipients[0].__class__(address, "example.com")
        envelope = bad.envelope.__class__(bad.envelope.sender, (*bad.envelope.recipients, spoilt), bad.envelope.client)
        intake = at.spool.intake(MessageId("0" * 26))
        await intake.write(CONTENT)
        await intake.commit(envelope, START)
        at.courier.wake()
        await until(lambda: at.said(MessageId("0" * 26), address))
        message = at.spool.get(MessageId("0" * 26))
        assert message.fate(address) is Fate.QUARANTINED
        assert message.fate("good@example.com") is Fate.DELIVERED
        assert all("good@example.com" in command for command in primary.commands if command.startswith("RCPT"))


async def test_5_silence_after_the_final_dot_is_a_deferral_with_a_pause() -> None:
    """I1: the primary may have the message, so it is not sent again at once; nor is it taken for delivered."""
    patience = Patience(connect=5, command=5, data=5, block=5, dot=0.2, quit=1)
    async with (
        ScriptedPrimary().on("DOT", SILENCE, times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"]), patience=patience) as at,
    ):
        id = await put(at.spool)
        at.courier.wake()
        await until(lambda: at.said(id))
        message = at.spool.get(id)
        assert message.state() is State.WAITING
        assert message.schedule["example.com"].due == START + timedelta(minutes=5)
        assert "the final dot" in at.said(id)


@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["ahead", "in turn"])
async def test_6_connections_are_used_again(extensions: tuple[str, ...]) -> None:
    """Each message has its own replies, also after a refusal in the middle."""
    async with ScriptedPrimary(extensions).on("MAIL", "450 4.1.8 later", having="b@") as primary:
        connection = await dialled(primary)
        seen = []
        for sender in ("a@s.test", "b@s.test", "c@s.test"):
            report = await carried(connection, "x@example.com", sender=sender)
            seen.append(report.outcomes["x@example.com"].reply.code)
        await connection.quit()
        assert seen == [250, 450, 250]
        assert primary.connections == 1


async def test_replies_that_come_together_are_told_apart() -> None:
    """The library drops all but the first: it sends no commands ahead. A hundred recipients, each with its own reply."""
    async with ScriptedPrimary() as primary:
        for number in range(100):
            primary.on("RCPT", f"{550 if number % 3 else 250} 2.1.5 " + "long " * 90 + str(number), having=f"<u{number}@")
        connection = await dialled(primary)
        report = await carried(connection, *(f"u{number}@example.com" for number in range(100)))
        await connection.quit()
        for number in range(100):
            outcome = report.outcomes[f"u{number}@example.com"]
            assert outcome.reply.code == (550 if number % 3 else 250)
            assert number % 3 == 0 or outcome.reply.text.endswith(f" {number}")


async def test_what_nobody_asked_for_is_no_answer() -> None:
    """A reply too many after a message is not taken for the reply to the next command: the line ends, the next takes another."""
    async with ScriptedPrimary(PLAIN).on("DOT", "250 2.0.0 taken\r\n250 2.0.0 and again", times=1) as primary:
        primary.on("MAIL", "450 4.1.8 later", having="b@")
        connection = await dialled(primary)
        first = await carried(connection, "x@example.com", sender="a@s.test")
        assert first.outcomes["x@example.com"].reply.code == 250
        second = await carried(connection, "x@example.com", sender="b@s.test")
        assert not second.outcomes
        assert second.stale
        connection = await dialled(primary)
        third = await carried(connection, "x@example.com", sender="b@s.test")
        await connection.quit()
        assert third.outcomes["x@example.com"].reply.code == 450


@pytest.mark.parametrize("offers", [PLAIN, EXTENSIONS])
@pytest.mark.parametrize(
    ("step", "said", "kinds"),
    [
        ("RCPT", "250 2.1.5 fine\r\n250 2.1.5 fine", {Deferred}),
        ("DATA", "354 go on\r\n250 2.0.0 and more", {Deferred}),
        ("BODY", "451 4.3.0 enough", {Deferred}),
        ("BODY", "552 5.3.4 enough", {Failed}),
    ],
)
async def test_a_yes_before_the_dot_is_no_yes_to_the_message(
    offers: tuple[str, ...], step: str, said: str, kinds: set[type]
) -> None:
    """I1: a primary that says one thing twice would answer each thing too early ever after. A no is believed."""
    async with ScriptedPrimary(offers).on("DOT", "451 4.3.1 not taken").on(step, said) as primary:
        connection = await dialled(primary)
        report = await carried(connection, "x@example.com", content=b"x\r\n" * 700_000)
        connection.abort()
        assert {type(outcome) for outcome in report.outcomes.values()} <= kinds
        assert not primary.received


@pytest.mark.parametrize("noise", ["hello", "25", "xyz what\r\n", "250-" + "x" * 300_000])
async def test_what_is_no_reply_is_never_an_outcome(noise: str) -> None:
    """I9: not delivered, not refused."""
    patience = Patience(connect=5, command=0.3, data=0.3, block=5, dot=0.3, quit=0.3)
    async with ScriptedPrimary().on("MAIL", noise) as primary:
        connection = await dialled(primary, patience)
        report = await carried(connection, "x@example.com")
        await connection.quit()
        assert isinstance(report.outcomes.get("x@example.com"), Deferred | None)
        assert not primary.received


@pytest.mark.parametrize("mail", ["451 4.3.0 later", "550 5.7.1 no", "354 what"])
async def test_no_empty_message_where_sender_and_recipients_were_answered_differently(mail: str) -> None:
    """I1: sent ahead, DATA is granted although MAIL was refused: a dot would end an empty message to those that were taken."""
    primary = ScriptedPrimary().on("MAIL", mail).on("RCPT", "250 2.1.5 fine").on("DATA", "354 go on")
    async with primary:
        connection = await dialled(primary)
        report = await carried(connection, "x@example.com")
        assert not connection.usable
        assert report.outcomes["x@example.com"].reply.code == int(mail[:3])
        assert not primary.received


async def test_a_server_that_knows_no_ehlo_gets_helo() -> None:
    """RFC 5321 section 3.2."""
    async with ScriptedPrimary().on("EHLO", "502 5.5.2 what") as primary:
        connection = await dialled(primary)
        report = await carried(connection, "x@example.com")
        await connection.quit()
        assert isinstance(report.outcomes["x@example.com"], Delivered)
        assert primary.commands[:3] == ["EHLO mx2.example.net", "HELO mx2.example.net", "MAIL FROM:<sender@sender.test>"]


async def test_a_non_ascii_address_waits_for_a_primary_that_takes_it() -> None:
    """RFC 6531: without SMTPUTF8 it is a deferral for this recipient alone; with it, it is delivered."""
    plain = tuple(word for word in EXTENSIONS if word != "SMTPUTF8")
    to = ("jürgen@example.com", "b@example.com")
    async with ScriptedPrimary(plain) as old, ScriptedPrimary() as new:
        connection = await dialled(old)
        report = await carried(connection, *to, smtputf8=True)
        await connection.quit()
        assert report.outcomes[to[0]].reply.text.startswith("4.6.7")
        assert isinstance(report.outcomes[to[1]], Delivered)
        connection = await dialled(new)
        report = await carried(connection, *to, smtputf8=True)
        await connection.quit()
        assert all(isinstance(outcome, Delivered) for outcome in report.outcomes.values())
        assert new.received[0].mail.endswith(" SMTPUTF8")
        assert new.received[0].rcpts == list(to)


def certificate() -> ssl.SSLContext:
    """A certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("another.name.test").configure_cert(context)
    return context


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_starttls_is_used_when_offered_on_both_loops(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """RFC 3207: EHLO is said anew, whatever the certificate; the outcome tells what was used. Many messages over one line."""

    async def main() -> None:
        async with ScriptedPrimary(tls=certificate()) as primary:
            connection = await dialled(primary)
            for _ in range(3):
                report = await carried(connection, "x@example.com", content=CONTENT + b"y\r\n" * 200_000)
                outcome = report.outcomes["x@example.com"]
                assert isinstance(outcome, Delivered), outcome
                assert str(outcome.tls).startswith("TLSv1.3 ")
            await connection.quit()
            assert primary.commands[:3] == ["EHLO mx2.example.net", "STARTTLS", "EHLO mx2.example.net"]
            assert primary.connections == 1

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("reply", ["454 4.7.0 not available", "501 5.5.4 no"])
async def test_starttls_that_is_refused_leaves_the_session_as_it_is(reply: str) -> None:
    """Opportunistic: mail goes out in plain text, and the outcome says so."""
    async with ScriptedPrimary(tls=certificate()).on("STARTTLS", reply) as primary:
        connection = await dialled(primary)
        report = await carried(connection, "x@example.com")
        await connection.quit()
        outcome = report.outcomes["x@example.com"]
        assert isinstance(outcome, Delivered)
        assert outcome.tls is None
        assert primary.connections == 1


async def test_starttls_that_breaks_leads_to_a_plain_connection() -> None:
    """Opportunistic: a server whose TLS is broken still gets its mail."""
    unusable = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # it has no certificate: no handshake ends well
    async with ScriptedPrimary(tls=unusable) as primary:
        connection = await dialled(primary)
        report = await carried(connection, "x@example.com")
        await connection.quit()
        outcome = report.outcomes["x@example.com"]
        assert isinstance(outcome, Delivered)
        assert outcome.tls is None
        assert primary.connections == 2


@pytest.mark.parametrize("greeting", ["554 5.3.2 no", "421 4.3.2 later", "what", "220-" + "x" * 50_000])
async def test_a_greeting_that_is_none_is_trouble_with_the_connection(greeting: str) -> None:
    """Nothing is said about any message."""
    async with ScriptedPrimary().on("CONNECT", greeting) as primary:
        found = await Dialler("mx2.example.net", HASTE).dial([Address("127.0.0.1", "127.0.0.1", primary.port)])
        assert isinstance(found, Unreachable)
        assert found.why.startswith(("554 5.3.2 no", "421 4.3.2 later", "what came is no reply"))
