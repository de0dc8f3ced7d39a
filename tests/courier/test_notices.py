"""Senders are told what became of their mail, and nobody else is (I3)."""

from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

import pytest

from backupmx.config import Settings
from backupmx.core.events import Told
from backupmx.core.message import NOTICES, NULL_SENDER, Fate, Kind, Notice, Proof, Recipient, State
from backupmx.core.track import Standing
from backupmx.courier.notifier import Notifier
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Address, Nowhere, Route, Routes
from backupmx.spool.memory import MemorySpool
from tests.courier.house import House, Time, breathe, house, new_id, put, settings, until
from tests.courier.primary import EXTENSIONS, ScriptedPrimary

SENDER = "sender@sender.test"
HOUR = 3600.0
DSN = (*EXTENSIONS, "DSN")
KNOWN = {"proof": Proof.SPF}


class World(Routes):
    """Strangers' domains, where tests can reach them: DNS never leads to this machine."""

    def __init__(self, settings: Settings, port: int) -> None:
        super().__init__(settings, Resolver(()))
        self._at = port

    async def elsewhere(self, domain: str) -> Route | Nowhere:
        if domain == "nowhere.test":
            return Nowhere("DNS: nowhere.test does not exist")
        return Route((), (Address(f"mx.{domain}", "127.0.0.1", self._at),), timedelta(hours=1))


def of(primary: ScriptedPrimary) -> Settings:
    return settings([f"127.0.0.1:{primary.port}"])


async def delivered(at: House, world: ScriptedPrimary, count: int = 1) -> Sequence[Any]:
    await until(lambda: len(world.received) >= count, "the notification")
    await until(lambda: NOTICES not in {domain for m in at.spool.messages.values() for domain in m.domains()}, "settled")
    return [message_from_bytes(got.content, policy=SMTP) for got in world.received]


async def test_a_refusal_goes_back_to_the_sender_who_was_authenticated() -> None:
    """I1, I3: from nobody, by the sender's MX, with the primary's own words; the message is gone."""
    async with (
        ScriptedPrimary().on("RCPT", "550 5.1.1 no such user", having="never@") as primary,
        ScriptedPrimary() as world,
    ):
        config = of(primary)
        async with house(config, routes=World(config, world.port)) as at:
            id = await put(at.spool, "now@example.com", "never@example.com", **KNOWN)
            at.courier.wake()
            (letter,) = await delivered(at, world)
            await until(at.empty)
        assert world.received[0].mail.startswith("MAIL FROM:<>")
        assert world.received[0].rcpts == [SENDER]
        assert letter.get_content_type() == "multipart/report"
        text, status, original = letter.iter_parts()
        assert "no such user" in text.get_content()
        assert "never@example.com" in str(status)
        assert "now@example.com" not in str(status)
        assert "Subject: hello" in str(original)
        life = at.spool.track.find(id)
        assert life is not None
        assert (life.standing, life.returned()) == (Standing.RETURNED, {1})
        assert primary.received[0].rcpts == ["now@example.com"]


@pytest.mark.parametrize(
    ("sender", "more", "notify"),
    [
        (SENDER, {}, ""),
        (NULL_SENDER, KNOWN, ""),
        (SENDER, KNOWN, "NEVER"),
        (SENDER, KNOWN, "SUCCESS"),
    ],
    ids=["nobody vouches for the sender", "a notification", "never", "other wishes"],
)
async def test_or_it_is_quarantined_and_nobody_is_told(sender: str, more: dict[str, Any], notify: str) -> None:
    """I3."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="never@") as primary, ScriptedPrimary() as world:
        config = of(primary)
        async with house(config, routes=World(config, world.port)) as at:
            await put(at.spool, "now@example.com")
            to = Recipient("never@example.com", "example.com", notify)
            id = await put(at.spool, to, sender=sender, **more)
            at.courier.wake()
            await until(lambda: at.spool.get(id) and at.spool.get(id).state() is State.QUARANTINED, "quarantined")
            assert list(at.spool.messages) == [id]
            assert world.connections == 0


async def test_a_sender_in_one_of_our_domains_is_told_by_its_primary() -> None:
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="never@") as primary:
        config = of(primary)
        async with house(config, routes=World(config, 9)) as at:
            await put(at.spool, "now@example.com")
            await put(at.spool, "never@example.com", sender="Anna@Example.COM", **KNOWN)
            at.courier.wake()
            await until(lambda: len(primary.received) == 2 and at.empty())
        assert primary.received[1].mail.startswith("MAIL FROM:<>")
        assert primary.received[1].rcpts == ["Anna@example.com"]


async def test_a_notification_that_is_refused_is_quarantined_and_told_to_nobody() -> None:
    """I3: never about a notification; and one that is put off is tried again."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="never@") as primary, ScriptedPrimary() as world:
        world.on("RCPT", "451 4.3.0 later", times=1).on("RCPT", "550 5.7.1 no")
        config = of(primary)
        async with house(config, routes=World(config, world.port)) as at:
            await put(at.spool, "now@example.com", "never@example.com", **KNOWN)
            at.courier.wake()
            await until(lambda: world.verbs["RCPT"] == 1)
            await until(lambda: at.spool.census().total.get(State.WAITING) and not world.open)
            await at.time.advance(6 * 60)
            await until(lambda: State.QUARANTINED in at.spool.census().total)
            assert world.verbs["RCPT"] == 2
            (left,) = at.spool.messages.values()
            assert left.envelope.sender == NULL_SENDER
            assert left.progress[SENDER].fate is Fate.QUARANTINED


async def test_a_notification_has_two_days() -> None:
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="never@") as primary:
        config = of(primary)
        async with house(config, routes=World(config, 9)) as at:
            await put(at.spool, "now@example.com", "never@example.com", sender="x@nowhere.test", **KNOWN)
            at.courier.wake()
            await until(lambda: len(at.spool.messages) == 1 and at.spool.next_due(NOTICES))
            (left,) = at.spool.messages.values()
            await until(lambda: "does not exist" in at.said(left.id, "x@nowhere.test"))
            at.time.now += timedelta(hours=47)
            await at.courier._sweep()
            assert at.spool.get(left.id).state() is State.WAITING
            at.time.now += timedelta(hours=2)
            await at.courier._sweep()
            assert at.spool.get(left.id).state() is State.QUARANTINED


async def test_the_end_of_the_window_is_told() -> None:
    """With the last that was heard of it; I1: the sweep and the notification are one transaction."""
    async with ScriptedPrimary() as world:
        config = Settings.model_validate(
            {"hostname": "mx2.example.net", "domain": {"example.com": {"primary": ("127.0.0.1:9",), "holding_window": "1h"}}}
        )
        time = Time()
        spool = MemorySpool()
        id = await put(spool, **KNOWN)
        time.now += timedelta(hours=2)
        async with house(config, spool, time, routes=World(config, world.port)) as at:
            (letter,) = await delivered(at, world)
            await until(at.empty)
        assert "5.4.7" in letter.as_string()
        assert at.spool.track.find(id).standing is Standing.RETURNED


@pytest.mark.parametrize(
    ("notify", "warning", "content", "told"),
    [
        ("DELAY", False, b"Subject: hello\r\n\r\n", True),
        ("", False, b"Subject: hello\r\n\r\n", False),
        ("", True, b"Subject: hello\r\n\r\n", True),
        ("FAILURE", True, b"Subject: hello\r\n\r\n", False),
        ("DELAY", True, b"List-Id: <x.test>\r\nSubject: hello\r\n\r\n", False),
        ("", True, b"Auto-Submitted: auto-generated\r\n\r\n", False),
    ],
)
async def test_a_delay_of_four_hours_is_told_once_to_who_wants_to_know(
    notify: str, warning: bool, content: bytes, told: bool
) -> None:
    """The primary is down all the time; list and automatic mail is let alone."""
    async with ScriptedPrimary() as world:
        config = Settings.model_validate(
            {"hostname": "mx2.example.net", "domain": {"example.com": {"primary": ("127.0.0.1:9",), "delay_warning": warning}}}
        )
        spool, time = MemorySpool(), Time()
        to = Recipient("user@example.com", "example.com", notify)
        id = await put(spool, to, content=b"Received: from a by b\r\n" + content, **KNOWN)
        async with house(config, spool, time, routes=World(config, world.port)) as at:
            await breathe()
            assert len(spool.messages) == 1
            for hours in (3.9, 0.2, 4, 4):
                time.now += timedelta(hours=hours)
                await at.courier._sweep()
            at.courier.wake()
            if told:
                (letter,) = await delivered(at, world)
                assert "Action: delayed" in letter.as_string()
                assert [event.kind for event in spool.track.find(id).events if isinstance(event, Told)] == [Kind.DELAYED]
            assert list(spool.messages) == [id]
        assert len(world.received) == told


@pytest.mark.parametrize(("extensions", "action"), [(EXTENSIONS, "relayed"), (DSN, None)])
async def test_success_is_told_where_the_primary_will_not_tell_it(extensions: tuple[str, ...], action: str | None) -> None:
    """RFC 3461 section 5.2.2."""
    async with ScriptedPrimary(extensions) as primary, ScriptedPrimary() as world:
        config = of(primary)
        async with house(config, routes=World(config, world.port)) as at:
            to = Recipient("user@example.com", "example.com", "SUCCESS,FAILURE")
            await put(at.spool, to, **KNOWN)
            at.courier.wake()
            if action:
                (letter,) = await delivered(at, world)
                assert f"Action: {action}" in letter.as_string()
            await until(at.empty)
        assert len(world.received) == (action is not None)


async def test_after_lmtp_it_is_delivered() -> None:
    async with ScriptedPrimary(lmtp=True) as primary, ScriptedPrimary() as world:
        config = Settings.model_validate(
            {"hostname": "mx2.example.net", "domain": {"example.com": {"primary": (f"lmtp://127.0.0.1:{primary.port}",)}}}
        )
        async with house(config, routes=World(config, world.port)) as at:
            await put(at.spool, Recipient("user@example.com", "example.com", "SUCCESS"), **KNOWN)
            at.courier.wake()
            (letter,) = await delivered(at, world)
            assert "Action: delivered" in letter.as_string()


async def test_what_a_doubtful_primary_refuses_is_told_to_nobody() -> None:
    """I10."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody") as primary, ScriptedPrimary() as world:
        config = of(primary)
        async with house(config, routes=World(config, world.port)) as at:
            at.courier.wake()
            await until(lambda: at.primary() == "up")
            await primary.stop()
            await at.time.advance(61)
            await until(lambda: at.primary() == "down")
            ids = [await put(at.spool, f"u{n}@example.com", **KNOWN) for n in range(20)]
            await primary.start()
            await at.time.advance(61)
            await until(lambda: at.courier.views()["example.com"].primary.last_error and at.primary() == "up", "doubt")
            await at.time.advance(HOUR)
            assert sorted(at.spool.messages) == sorted(ids)
            assert world.connections == 0


async def test_a_fault_in_what_we_write_changes_nothing_of_what_the_primary_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """I1, I9: who was delivered is delivered, once; who failed is quarantined."""

    def broken(*_: object, **__: object) -> tuple[Notice, ...]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Notifier, "_write", broken)
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="never@") as primary:
        config = of(primary)
        async with house(config, routes=World(config, 9)) as at:
            id = await put(at.spool, "now@example.com", "never@example.com", **KNOWN)
            at.courier.wake()
            await until(lambda: at.spool.get(id) and at.spool.get(id).state() is State.QUARANTINED)
            await at.time.advance(2 * HOUR)
            assert list(at.spool.messages) == [id]
        assert len(primary.received) == 1


async def test_a_stranger_who_does_not_answer_holds_up_nobody() -> None:
    """Their server is dialled once in a while, not for each notification."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="never@") as primary, ScriptedPrimary() as world:
        world.on("CONNECT", "421 4.3.2 closed")
        config = of(primary)
        async with house(config, routes=World(config, world.port)) as at:
            await put(at.spool, "now@example.com")
            for _ in range(9):
                await put(at.spool, "never@example.com", **KNOWN)
                await put(at.spool, "now@example.com")
            at.courier.wake()
            await until(lambda: len([m for m in at.spool.messages.values() if m.progress]) == 9)
            assert world.connections <= 4
            world.forget()
            await at.time.advance(6 * 60)
            await delivered(at, world, 9)


async def test_a_clock_that_is_set_back_keeps_no_stranger_away() -> None:
    """They did not answer a moment ago, by a clock that was ahead: the next notification goes at once."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="never@") as primary, ScriptedPrimary() as world:
        world.on("CONNECT", "421 4.3.2 closed")
        config = of(primary)
        async with house(config, routes=World(config, world.port)) as at:
            for address in ("now@example.com", "never@example.com", "now@example.com"):
                await put(at.spool, address, **KNOWN)
            at.courier.wake()
            await until(lambda: len([m for m in at.spool.messages.values() if m.progress]) == 1)
            world.forget()
            at.time.now -= timedelta(days=1)
            for address in ("now@example.com", "never@example.com", "now@example.com"):
                await put(at.spool, address, arrived=at.time.now, **KNOWN)
            at.courier.wake()
            await until(lambda: world.received, "the notification")


async def test_an_envelope_of_ours_asks_for_nothing() -> None:
    """RFC 3461 section 5.2.8, RFC 8689 section 5."""
    config = settings(["127.0.0.1:9"])
    spool = MemorySpool()
    id = await put(spool, requires_tls=True, **KNOWN)
    notifier = Notifier(config, spool.content, new_id)
    message = spool.get(id)
    assert message is not None
    letter = notifier.bounced(message, ("user@example.com",), "spam", Time().now)
    assert letter is not None
    assert letter.envelope.requires_tls
    assert letter.envelope.recipients == (Recipient(SENDER, NOTICES, "NEVER"),)
    assert b"returned by the administrator: spam" in letter.content


@pytest.mark.parametrize(
    ("sender", "address", "domain", "utf8"),
    [
        ("bo@münchen.example", "bo@xn--mnchen-3ya.example", NOTICES, False),
        ("bo@MÜNCHEN.example", "bo@xn--mnchen-3ya.example", NOTICES, False),
        ("jörg@münchen.example", "jörg@xn--mnchen-3ya.example", NOTICES, True),
        ("anna@Example.COM", "anna@example.com", "example.com", False),
        ("anna@bad_name.example", "anna@bad_name.example", NOTICES, False),
    ],
)
async def test_a_reader_s_domain_is_written_as_dns_has_it(sender: str, address: str, domain: str, utf8: bool) -> None:
    """RFC 6531 section 3.2: what only its domain made international can go anywhere."""
    spool = MemorySpool()
    id = await put(spool, sender=sender, smtputf8=True, **KNOWN)
    message = spool.get(id)
    assert message is not None
    letter = Notifier(settings(["127.0.0.1:9"]), spool.content, new_id).bounced(message, ("user@example.com",), "", Time().now)
    assert letter is not None
    assert letter.envelope.recipients == (Recipient(address, domain, "NEVER"),)
    assert (letter.envelope.smtputf8, letter.content.isascii()) == (utf8, not utf8)


async def test_a_notification_about_mail_that_required_tls_is_not_lost_over_it() -> None:
    """RFC 8689 section 5: it has no text of the message in it, and goes where nobody offers REQUIRETLS."""
    async with ScriptedPrimary() as world:
        config = settings(["127.0.0.1:9"])
        spool = MemorySpool()
        id = await put(spool, content=b"Subject: x\r\n\r\nsecret\r\n", requires_tls=True, ret="FULL", **KNOWN)
        message = spool.get(id)
        assert message is not None
        letter = Notifier(config, spool.content, new_id).bounced(message, ("user@example.com",), "", Time().now)
        assert letter is not None
        await spool.bounce(letter, id, "petra", "", Time().now)
        async with house(config, spool, routes=World(config, world.port)) as at:
            at.courier.wake()
            await delivered(at, world)
        assert b"secret" not in world.received[0].content
        assert "REQUIRETLS" not in world.received[0].mail
