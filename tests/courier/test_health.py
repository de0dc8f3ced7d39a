"""What is known of a primary is true, and a primary that is down costs one probe an interval (I5, I8)."""

import asyncio
from collections import Counter
from datetime import timedelta

from backupmx.core.status import PrimaryState
from backupmx.courier.transaction import Patience
from tests.courier.house import START, breathe, house, put, settings, until
from tests.courier.primary import DROP, SILENCE, ScriptedPrimary


async def test_a_primary_is_asked_at_the_start_also_when_nothing_waits() -> None:
    """I8: the page is true from the start; a probe is a greeting, EHLO and QUIT, and no mail."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        assert at.primary() == "unknown"
        await until(lambda: at.primary() == "up" and primary.verbs["QUIT"])
        assert primary.commands == ["EHLO mx2.example.net", "QUIT"]
        view = at.courier.views()["example.com"]
        assert view.primary.since == START
        assert view.primary.last_error is None
        assert view.next_attempt is None
        assert view.holding_window == timedelta(days=14)


async def test_one_probe_an_interval_with_a_thousand_messages_waiting() -> None:
    """I5: while the primary is down, the queue costs nothing; and nothing is held against the messages."""
    async with (
        ScriptedPrimary().on("CONNECT", "421 4.3.2 not now") as primary,
        house(settings([f"127.0.0.1:{primary.port}"], probe_interval="30s")) as at,
    ):
        ids = [await put(at.spool) for _ in range(1000)]
        at.courier.wake()
        await until(lambda: at.primary() == "down")
        for probes in range(2, 5):
            await at.time.advance(29.5)
            at.courier.wake()
            await breathe()
            assert primary.connections == probes - 1
            await at.time.advance(0.5)
            await until(lambda n=probes: primary.connections == n)
        view = at.courier.views()["example.com"]
        assert view.primary.since == START
        assert "421 4.3.2 not now" in str(view.primary.last_error)
        assert view.next_attempt == at.time.now + timedelta(seconds=30)
        schedules = [at.spool.messages[id].schedule["example.com"] for id in ids]
        assert all((schedule.attempts, schedule.deferrals) == (0, 0) for schedule in schedules)


async def test_domains_with_the_same_primary_share_its_probe() -> None:
    """I5: one route, one health."""
    async with ScriptedPrimary().on("CONNECT", DROP) as primary:
        names = ["example.com", "example.org", "example.net"]
        async with house(settings([f"127.0.0.1:{primary.port}"], names)) as at:
            await until(lambda: {at.primary(name) for name in names} == {"down"})
            assert primary.connections == 1
            primary.forget()
            for name in names:
                await put(at.spool, f"user@{name}")
            await at.time.advance(30)
            await until(at.empty)
            assert {at.primary(name) for name in names} == {"up"}


async def test_new_mail_leaves_at_once_while_the_primary_is_up() -> None:
    """The clock stands still: no wait of any kind lies between the wake and the delivery."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await until(lambda: at.primary() == "up")
        for number in range(1, 4):
            await put(at.spool)
            at.courier.wake()
            await until(lambda n=number: len(primary.received) == n)
        await until(at.empty)
        assert at.time.now == START


async def test_up_is_asked_again_when_no_mail_tells() -> None:
    """I8: a primary that went away in a quiet night is shown as down, an interval later."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"], probe_interval="30s")) as at:
        await until(lambda: at.primary() == "up")
        await primary.stop()
        await at.time.advance(31)
        await until(lambda: at.primary() == "down")
        assert at.courier.views()["example.com"].primary.since == START + timedelta(seconds=30)
        await primary.start()
        await at.time.advance(31)
        await until(lambda: at.primary() == "up")


async def test_one_lost_line_among_healthy_ones_does_not_mean_down() -> None:
    """The route goes on with fewer connections; every message arrives, and none is deferred."""
    async with (
        ScriptedPrimary().on("MAIL", DROP, having="unlucky@", times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        await until(lambda: at.primary() == "up")
        for number in range(60):
            await put(at.spool, sender="unlucky@sender.test" if number == 30 else "s@sender.test")
        at.courier.wake()
        await until(at.empty)
        assert at.courier.views()["example.com"].primary.since == START
        assert at.time.now == START
        assert len(primary.received) == 60


async def test_a_primary_that_takes_connections_but_no_mail_is_not_hammered() -> None:
    """I5: a few attempts, then it counts as down until a probe an interval later; the messages are not blamed."""
    async with (
        ScriptedPrimary().on("MAIL", "421 4.3.2 shutting down") as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        ids = [await put(at.spool) for _ in range(100)]
        at.courier.wake()
        await until(lambda: at.primary() == "down")
        await until(lambda: primary.open == 0)
        before = primary.connections
        assert before <= 1 + 6
        at.courier.wake()
        await breathe()
        assert primary.connections == before
        assert all(at.spool.messages[id].schedule["example.com"].deferrals == 0 for id in ids)
        primary.forget()
        await at.time.advance(30)
        await until(at.empty)


async def test_a_message_that_breaks_every_line_does_not_block_the_others() -> None:
    """I1, I4: after a few attempts it backs off like any deferred message, and stays."""
    async with (
        ScriptedPrimary().on("MAIL", DROP, having="poison@") as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        poison = await put(at.spool, sender="poison@sender.test")
        others = [await put(at.spool) for _ in range(20)]
        at.courier.wake()
        for _ in range(10):
            await at.time.advance(31)
            await asyncio.sleep(0.05)
        await until(lambda: not any(map(at.spool.get, others)))
        await until(lambda: at.said(poison))
        assert at.spool.get(poison)
        assert primary.verbs["MAIL"] < 20 + 20


async def test_mail_of_a_primary_that_limits_connections_flows_through_those_it_allows() -> None:
    """A refused connection beside working ones narrows the ramp; it does not stop the drain."""
    async with ScriptedPrimary() as primary:
        primary.most_allowed = 3
        async with house(settings([f"127.0.0.1:{primary.port}"])) as at:
            for _ in range(200):
                await put(at.spool)
            at.courier.wake()
            await until(at.empty)
            assert len(primary.received) == 200
            assert at.courier.views()["example.com"].primary.since == START


async def test_connections_are_reused_for_a_hundred_messages_each() -> None:
    """250 messages over one line at a time: three connections and the probe's."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1)) as at:
        for _ in range(250):
            await put(at.spool)
        at.courier.wake()
        await until(at.empty)
        assert sorted(primary.carried().values()) == [50, 100, 100]
        assert primary.connections == 1 + 3


async def test_a_connection_over_which_no_mail_goes_is_soon_changed_for_another() -> None:
    """Servers grow slow for who makes errors, and hang up in the end: Postfix at ten and twenty; DATA for nobody is one too."""
    async with (
        ScriptedPrimary().on("RCPT", "450 4.2.0 greylisted") as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        ids = [await put(at.spool) for _ in range(20)]
        at.courier.wake()
        await until(lambda: all(map(at.said, ids)))
        tried = Counter(number for number, line in primary.heard if line.startswith("RCPT"))
        assert sum(tried.values()) == 20
        assert max(tried.values()) == 4


async def test_an_idle_connection_is_kept_for_a_moment_and_closed_with_quit() -> None:
    """New mail within seconds finds the line open; a quiet primary is left in peace."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await until(lambda: primary.verbs["QUIT"] == 1)
        for number in (1, 2):
            await put(at.spool)
            at.courier.wake()
            await until(lambda n=number: len(primary.received) == n and at.empty())
        assert primary.connections == 2
        await at.time.advance(6)
        await until(lambda: primary.verbs["QUIT"] == 2)
        await until(lambda: primary.open == 0)


async def test_a_line_that_the_primary_closed_while_it_was_idle_costs_nothing() -> None:
    """The message goes over a fresh one at once, and the route is not blamed."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await put(at.spool)
        at.courier.wake()
        await until(at.empty)
        primary.on("MAIL", DROP, times=1)
        await put(at.spool)
        at.courier.wake()
        await until(at.empty)
        assert len(primary.received) == 2
        assert at.courier.views()["example.com"].primary.state is PrimaryState.UP


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    """RFC 5321 section 5.1: in the order that was configured, for the probe and for mail."""
    async with ScriptedPrimary() as dead, ScriptedPrimary() as alive:
        await dead.stop()
        async with house(settings([f"127.0.0.1:{dead.port}", f"127.0.0.1:{alive.port}"])) as at:
            await put(at.spool)
            at.courier.wake()
            await until(at.empty)
            assert len(alive.received) == 1


async def test_a_silent_greeting_is_down() -> None:
    """I9: a listener that never says a word is no primary."""
    async with (
        ScriptedPrimary().on("CONNECT", SILENCE) as primary,
        house(settings([f"127.0.0.1:{primary.port}"]), patience=Patience(connect=0.2, command=0.2)) as at,
    ):
        await until(lambda: at.primary() == "down")
        assert "no answer in time" in str(at.courier.views()["example.com"].primary.last_error)


async def test_one_lost_packet_changes_nothing() -> None:
    """A single failure is looked into at once; only the second one in a row means down."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await until(lambda: at.primary() == "up" and primary.verbs["QUIT"] == 1)
        primary.on("CONNECT", DROP, times=1)
        await at.time.advance(31)
        await until(lambda: primary.verbs["QUIT"] == 2)
        assert primary.connections == 3
        assert at.courier.views()["example.com"].primary.since == START
        assert at.board.state("example.com") is PrimaryState.UP


async def test_a_worker_that_lost_its_line_has_the_primary_looked_at_at_once() -> None:
    """No need to wait for an interval: the others are told as soon as it is certain."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)
        await primary.stop()
        at.courier.told("lost", "example.com")
        await until(lambda: at.board.state("example.com") is PrimaryState.DOWN)
        assert at.time.now == START
        at.courier.told("lost", "example.com")  # what is known already is no reason to knock again
        at.courier.told("lost", "elsewhere.test")
        before = primary.connections
        await breathe()
        assert primary.connections == before
        await primary.start()
        await at.time.advance(31)
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)


async def test_who_answers_4xx_to_everything_is_tried_but_not_relied_upon() -> None:
    """The page says up, mail is tried; but nobody waits for its word until it says something else."""
    async with (
        ScriptedPrimary().on("RCPT", "451 4.3.0 no database") as primary,
        house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1)) as at,
    ):
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)
        for _ in range(9):
            await put(at.spool)
        at.courier.wake()
        await until(lambda: primary.verbs["RCPT"] == 9)
        await breathe()
        assert at.board.state("example.com") is PrimaryState.UP
        last = await put(at.spool)
        at.courier.wake()
        await until(lambda: at.board.state("example.com") is PrimaryState.DOWN)
        assert at.primary() == "up"
        await until(lambda: at.said(last))
        await at.time.advance(31)  # it greets, and that is not enough
        await until(lambda: "RCPT TO:<postmaster@example.com>" in primary.commands)
        await breathe()
        assert at.board.state("example.com") is PrimaryState.DOWN
        primary.forget()
        await at.time.advance(31)
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)
        await at.time.advance(300)
        await until(at.empty)


async def test_what_workers_saw_counts_as_well() -> None:
    """`deferring` from a worker, as from our own deliveries; `well` from a worker spares a probe."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await until(lambda: at.board.state("example.com") is PrimaryState.UP and primary.verbs["QUIT"] == 1)
        at.courier.told("deferring", "example.com")
        assert at.board.state("example.com") is PrimaryState.DOWN
        await at.time.advance(31)
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)
        await until(lambda: primary.verbs["QUIT"] == 2)
        await at.time.advance(25)
        at.courier.told("well", "example.com")
        await at.time.advance(25)
        assert primary.connections == 2


async def test_the_clock_of_a_primary_stands_still_while_it_is_down() -> None:
    """What is known of recipients does not grow old in an outage; over a restart it is kept."""
    hour = 3600
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"], probe_interval="1h")) as at:
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)
        await at.time.advance(hour / 2)
        await primary.stop()
        at.courier.told("lost", "example.com")
        await until(lambda: at.board.state("example.com") is PrimaryState.DOWN)
        assert at.board.clock("example.com") == hour / 2
        await at.time.advance(60 * 24 * hour)
        assert at.board.clock("example.com") == hour / 2
        await primary.start()
        await at.time.advance(hour + 1)
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)
        spool = at.spool
    kept = spool.roll.clock("example.com")
    assert hour / 2 <= kept <= hour * 1.5 + 1
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"]), spool) as at:
        assert at.board.clock("example.com") == kept
