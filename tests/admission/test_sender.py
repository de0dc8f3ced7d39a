"""What is remembered of senders, how long a message waits for what is not, and what happens while DNS is away."""

import asyncio
import time

import pytest

from backupmx.admission import records
from backupmx.admission import sender as room
from backupmx.core.message import Proof
from tests.admission.senders import PASS, house
from tests.admission.signer import Signer, quoted
from tests.edge.door import until

SIGNER = Signer()


async def test_what_is_known_is_not_asked_again_and_takes_no_thread() -> None:
    """For any sender of the domain; until it is old."""
    async with house() as at:
        at.spf(PASS)
        assert await at.prove() is Proof.SPF
        at.names.asked.clear()
        with pytest.raises(StopIteration) as known:  # it does not even wait
            at.prove(sender="other@SENDER.test", helo="x.test").send(None)
        assert known.value.value is Proof.SPF
        assert await at.prove(client="192.0.2.8") is Proof.NONE
        at.spf('"v=spf1 -all"').senders._records._answers.flush()
        at.now[0] += room.REMEMBERED_S
        assert await at.prove() is Proof.NONE


async def test_a_record_that_names_the_sender_or_helo_is_asked_for_each() -> None:
    """What is true of one is not believed of another."""
    async with house() as at:
        at.spf('"v=spf1 exists:%{l}.users.sender.test exists:%{h}.hosts.sender.test -all"')
        at.names.has("good.users.sender.test", "A", "127.0.0.2").has("fine.test.hosts.sender.test", "A", "127.0.0.2")
        for _ in range(2):
            assert await at.prove(sender="good@sender.test") is Proof.SPF
            assert await at.prove(sender="bad@sender.test") is Proof.NONE
            assert await at.prove(sender="bad@sender.test", helo="fine.test") is Proof.SPF
        asked = len(at.names.asked)
        assert await at.prove(sender="good@sender.test") is Proof.SPF
        assert len(at.names.asked) == asked


async def test_messages_that_come_at_once_wait_for_one_check() -> None:
    """Also those whose record turns out to be about each sender alone."""
    async with house() as at:
        at.spf(PASS)
        assert await asyncio.gather(*[at.prove(sender=f"u{n}@sender.test") for n in range(50)]) == [Proof.SPF] * 50
        assert at.names.asked == [("sender.test", "TXT")]
        at.spf('"v=spf1 exists:%{l}.users.other.test -all"', "other.test").names.has("u1.users.other.test", "A", "127.0.0.2")
        proofs = await asyncio.gather(*[at.prove(sender=f"u{n}@other.test") for n in range(20)])
        assert proofs == [Proof.SPF if n == 1 else Proof.NONE for n in range(20)]


async def test_answers_of_dns_are_kept_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """I4: but not for ever, whatever their time to live, nor those that are large."""
    async with house() as at:
        at.spf(PASS).names.ttl = 10**9
        at.names.has("large.test", "TXT", PASS, *[quoted(str(number) * 250) for number in range(9)])
        for client in range(1, 4):
            assert await at.prove(client=f"192.0.2.{client}") is Proof.NONE
            assert await at.prove(client=f"192.0.2.{client}", sender="a@large.test") is Proof.NONE
        assert sorted(at.names.asked) == [("large.test", "TXT")] * 3 + [("sender.test", "TXT")]
        monkeypatch.setattr(records, "LONGEST_KEPT_S", 0)
        at.spf(PASS, "other.test")
        for client in range(1, 4):
            assert await at.prove(client=f"192.0.2.{client}", sender="a@other.test") is Proof.NONE
        assert at.names.asked.count(("other.test", "TXT")) == 3


async def test_more_checks_than_there_is_room_for_are_no_proof() -> None:
    """I4: nobody waits for them either."""
    async with house(budget=0.2) as at:
        at.names.silent = True
        began = time.monotonic()
        waiting = [asyncio.create_task(at.prove(sender=f"a@s{n}.test")) for n in range(room.MOST_CHECKS)]
        await asyncio.sleep(0)
        with pytest.raises(StopIteration) as refused:
            at.prove(sender="a@one.more.test").send(None)
        assert refused.value.value is Proof.NONE
        assert set(await asyncio.gather(*waiting)) == {Proof.NONE}
        assert time.monotonic() - began < 1.0, "those without a thread waited longer than they may"
        at.now[0] += 1


async def test_nobody_waits_longer_than_the_budget() -> None:
    """Whatever is asked: SPF, then DKIM."""
    async with house(budget=0.3) as at:
        at.names.silent = True
        began = time.monotonic()
        assert await at.prove(SIGNER.sign()) is Proof.NONE
        assert 0.25 < time.monotonic() - began < 1.5
        await until(lambda: not at.senders._begun, "the checks are over")
        assert time.monotonic() - began < 2.5


async def test_while_dns_is_away_it_is_not_waited_for_again_and_again() -> None:
    """After some time one message tries; an answer ends it."""
    async with house(budget=0.1) as at:
        at.spf(PASS, "known.test").spf(PASS)
        assert await at.prove(sender="a@known.test") is Proof.SPF
        at.names.silent = True
        for number in range(room.SILENCES):
            await at.wait_in_vain(f"a@s{number}.test")
        asked = len(at.names.asked)
        for pause in (room.PAUSE_S, 0):
            assert await at.prove(SIGNER.sign(), sender="a@s4.test") is Proof.NONE
            assert await at.prove(sender="a@known.test") is Proof.SPF
            assert len(at.names.asked) == asked
            if pause:
                at.now[0] += pause
                await at.wait_in_vain("a@s5.test")
                assert len(at.names.asked) > asked
                asked = len(at.names.asked)
        at.now[0] += room.PAUSE_S
        at.names.silent = False
        assert await at.prove() is Proof.SPF
        assert await at.prove(sender="b@known.test") is Proof.SPF


async def test_one_silent_domain_does_not_pass_for_a_dns_that_is_away() -> None:
    """Others are answered between its messages."""
    async with house(budget=0.1) as at:
        for number in range(room.SILENCES + 1):
            at.names.silent = True
            await at.wait_in_vain(f"a@s{number}.test")
            at.names.silent = False
            assert await at.prove(sender=f"a@t{number}.test") is Proof.NONE
        assert await at.spf(PASS).prove() is Proof.SPF


async def test_an_error_that_nobody_expected_is_told_once_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no proof (I9)."""
    async with house() as at:
        at.names.has(SIGNER.name, "TXT", SIGNER.record())
        monkeypatch.setattr(room.spf, "_PERSONAL", None)
        for number in range(3):
            at.spf('"v=spf1 a:%{d} -all"', f"s{number}.test")
            assert await at.prove(sender=f"a@s{number}.test") is Proof.NONE
        assert len(at.troubles) == 1
        at.now[0] += room.TOLD_S
        assert await at.spf('"v=spf1 a:%{d} -all"').prove(SIGNER.sign()) is Proof.DKIM
        assert len(at.troubles) == 2
