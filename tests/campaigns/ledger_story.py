"""What happens in a ledger campaign: mail comes, primaries come and go, admins act, the courier dies, and weeks pass.

It knows spool and courier from outside, and tells the book what was accepted.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import trustme

from backupmx.config import Settings
from backupmx.core.ids import MessageId
from backupmx.core.message import Proof, State
from backupmx.core.outcome import Reply
from backupmx.core.status import PrimaryState
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Address, Nowhere, Route, Routes
from backupmx.courier.transaction import Patience
from tests.campaigns.ledger_book import Book
from tests.campaigns.ledger_clock import Weeks
from tests.campaigns.ledger_door import Door
from tests.campaigns.ledger_primary import ChaosPrimary
from tests.campaigns.ledger_weather import AMNESIA, CALM, GREYLISTING, PATCHY, PICKY, STORM, Weather
from tests.courier.house import START, House, breathe, put, until
from tests.courier.papers import server

HASTY = Patience(connect=0.3, command=0.3, data=0.3, block=0.3, dot=0.3, quit=0.1)
WINDOWS = {
    "one.example": timedelta(days=5),
    "two.example": timedelta(days=1),
    "three.example": timedelta(days=5),
    "four.example": timedelta(days=14),
    "five.example": timedelta(days=5),
}
PRIMARIES = {
    "one.example": (0,),
    "two.example": (0,),
    "three.example": (1,),
    "four.example": (1, 2),
    "five.example": (2, 0),
}
"""By their numbers, in the order in which they are tried."""
ENCRYPTED = "three.example"
SENDERS = 3
"""The number of the one that is the senders' own, to which notifications go."""
KNOWN = ("one.example", "three.example", "four.example")
"""Domains of whose recipients it is known that they exist; the others' can only vouch by their postmaster."""
NAMES = 300
CROWDS = (1, 1, 2, 3, 8, 20, 50, 130)
"""Recipients of one domain."""
SIZES = (0, 0, 0, 100, 100, 100, 2000, 2000, 9000, 9000, 70_000)
JUMPS_S = (60, 600, 1800, 3600, 7200, 14_400)
SKIES: tuple[tuple[Weather | None, int, int], ...] = (
    (CALM, 4, 8),
    (PATCHY, 6, 16),
    (GREYLISTING, 2, 4),
    (PICKY, 1, 4),
    (STORM, 3, 5),
    (None, 4, 8),
)
"""Each with how often it comes, and how many steps it may last; None: away."""


class World(Routes):
    """The senders' domain is where a test can reach it."""

    def __init__(self, settings: Settings, port: int) -> None:
        super().__init__(settings, Resolver(()))
        self._at = port

    async def elsewhere(self, domain: str) -> Route | Nowhere:
        return Route((), (Address(f"mx.{domain}", "127.0.0.1", self._at),), timedelta(hours=1))


class Story:
    """One life of a spool."""

    def __init__(self, seed: int, opened: Callable[[], Any]) -> None:
        """`opened` gives the spool, at the beginning and again after each death of the courier."""
        self.book = Book()
        self._chance = random.Random(seed)
        self._time = Weeks()
        self._opened = opened
        self._failed = Counter[tuple[str, str]]()
        context = server(trustme.CA().issue_cert("primary.test"))
        self._primaries = [
            ChaosPrimary(self.book, [name for name in PRIMARIES if number in PRIMARIES[name]], f"{seed}.{number}", tls)
            for number, tls in enumerate((None, context, None, None))
        ]
        self._left = [0] * len(self._primaries)
        """How many steps the weather lasts."""
        self._wrong: dict[int, int] = {}
        """Primaries that came back wrong, and how many of their recipients had been refused before."""

    async def tell(self, pairs: int, span: timedelta) -> Counter[str]:
        """So many pairs over that time; returns where they are in the end."""
        for primary in self._primaries:
            await primary.come()
        self._open()
        await self._begin()
        await self._learn()
        while (passed := self._time.now - START) < span:
            await self._change_weather()
            await self._mail(pairs * passed / span)
            await self._admin()
            if self._chance.random() < 0.08 and not self._wrong:
                await self._die()
            await self._quiet()
            await self._time.pass_by(self._chance.choice(JUMPS_S))
            await self._quiet()
        await self._mail(pairs)
        await self._heal()
        await self._kill()
        for primary in self._primaries:
            primary.go()
        try:
            return self.book.balance(self._spool)
        finally:
            self._close()

    # The courier and its spool

    def _open(self) -> None:
        self._spool = self._opened()
        self._door = Door(self._spool, WINDOWS, self.book.expired, self._failed)

    def _close(self) -> None:
        self._door.close()
        self.book.faults += self._door.faults
        if hasattr(self._spool, "close"):
            self._spool.close()

    async def _begin(self) -> None:
        domains: dict[str, Any] = {
            name: {
                "primary": tuple(f"127.0.0.1:{self._primaries[number].port}" for number in numbers),
                "holding_window": f"{WINDOWS[name].days}d",
            }
            for name, numbers in PRIMARIES.items()
        }
        domains[ENCRYPTED]["tls"] = "required"
        delivery = {"max_connections_per_route": 4}
        settings = Settings.model_validate({"hostname": "mx2.example.net", "delivery": delivery, "domain": domains})
        routes = World(settings, self._primaries[SENDERS].port)
        self._house = House(self._spool, settings, self._time, HASTY, routes)  # type: ignore[arg-type]
        self._running = asyncio.create_task(self._house.courier.run())
        await breathe()

    async def _learn(self) -> None:
        for name in KNOWN:
            for number in range(0, NAMES, 10):
                self._house.knowledge.learn(name, f"u{number}", Reply(250, "2.1.5 ok"))
        await self._house.knowledge.write()

    async def _die(self) -> None:
        """In the middle of anything, and often when a primary has just taken something; the next courier works on."""
        taken = self.book.taken
        for _ in range(self._chance.choice((20, 100, 2000, 2000))):
            if self.book.taken > taken:
                break
            await asyncio.sleep(0)
        for _ in range(self._chance.randrange(5)):
            await asyncio.sleep(0)
        await self._kill()
        self._close()
        out = {id for id, _ in self._door.out}
        self._open()
        self.book.cut(self._spool, out)
        await self._begin()

    async def _kill(self) -> None:
        """As `kill -9` would: nothing is said, and nothing is settled any more."""
        # again and again: asyncio's wait_for may swallow the first time, up to Python 3.11
        while ghosts := _ghosts():
            for task in ghosts:
                task.cancel()
            await asyncio.wait(ghosts, timeout=0.2)
        if not self._running.cancelled() and (error := self._running.exception()):
            raise error

    async def _quiet(self) -> None:
        """Return once nothing is in flight, nobody is being probed, and whoever may be given mail has all that is due."""
        self._house.courier.wake()
        await until(lambda: not self._restless(), "it grows quiet", 60)
        await breathe()
        await until(lambda: not self._restless(), "it stays quiet", 60)

    def _restless(self) -> bool:
        # a lane looks again 50 ms after it found nothing to do with what is due; here no time passes
        self._house.courier.wake()
        lanes = self._house.courier._lanes.values()
        busy = self._door.busy or any(lane._probe_task for lane in lanes)
        return busy or any(self._due(domain) for lane in lanes if lane._open for domain in lane.domains)

    def _due(self, domain: str) -> bool:
        due = self._spool.next_due(domain)
        return due is not None and due <= self._time.now

    # The weather

    async def _change_weather(self) -> None:
        for number, primary in enumerate(self._primaries):
            self._left[number] -= 1
            if self._left[number] >= 0:
                continue
            self._recovers(number)
            away = primary.away
            if away:
                await primary.come()
            if away and self._chance.random() < 0.4 and self._is_down(number):
                self._left[number], primary.mischief.weather = self._chance.randint(2, 8), AMNESIA
                self._wrong[number] = self._refusals(number)
                continue
            sky, _, longest = self._chance.choices(SKIES, [often for _, often, _ in SKIES])[0]
            self._left[number] = self._chance.randint(1, longest)
            if sky is None:
                primary.go()
            primary.mischief.weather = sky or CALM

    def _alone(self, number: int) -> tuple[str, ...]:
        """Domains that have no other primary."""
        return tuple(name for name, numbers in PRIMARIES.items() if numbers == (number,))

    def _is_down(self, number: int) -> bool:
        """Whether the courier knows of the outage."""
        views, domains = self._house.courier.views(), self._alone(number)
        return bool(domains) and all(views[domain].primary.state is PrimaryState.DOWN for domain in domains)

    def _refusals(self, number: int) -> int:
        """How many of its recipients came to their end by its words so far."""
        return sum(times for (_, address), times in self._failed.items() if address.endswith(self._alone(number)))

    def _recovers(self, number: int) -> None:
        """It has its users again: nothing that it said meanwhile was believed (I10)."""
        before = self._wrong.pop(number, None)
        if before is not None and (more := self._refusals(number) - before):
            self.book.faults.append(f"{more} refusals were believed while primary {number} was wrong (I10)")

    # Mail, and admins

    async def _mail(self, pairs: float) -> None:
        """As much as brings the sum to that."""
        chance = self._chance
        while self.book.pairs < pairs:
            serial = len(self.book.entries)
            domains = chance.sample(list(PRIMARIES), chance.choice((1, 1, 1, 2, 3)))
            to = [f"u{name}@{domain}" for domain in domains for name in chance.sample(range(NAMES), chance.choice(CROWDS))]
            if chance.random() < 0.1:
                to.append(f"gone@{domains[0]}")
            content = b"Subject: %d\r\n\r\n" % serial + b".\r\n..line\r\n" * (chance.choice(SIZES) // 11)
            proof, sender = chance.choice((Proof.NONE, Proof.SPF)), f"s{serial}@sender.test"
            id = await put(self._spool, *to, content=content, arrived=self._time.now, sender=sender, proof=proof)
            self.book.accepted(id, content, to, proven=proof is not Proof.NONE)
        self._house.courier.wake()

    async def _admin(self) -> None:
        """Somebody's wish."""
        chance, courier, now = self._chance, self._house.courier, self._time.now
        latest = [entry.id for entry in self.book.entries[-100:]]
        ids = chance.sample(latest, min(len(latest), 5))
        domain = chance.choice(list(PRIMARIES))
        wish = chance.randrange(12)
        if wish < 2:
            await self._spool.hold(ids, "ann", "a campaign", now)
        elif wish == 2:
            await self._spool.release(latest, "ann", "a campaign", now)
        elif wish == 3:
            await self._spool.retry(ids, now)
        elif wish == 4:
            courier.asked(domain)
        elif wish == 5:
            courier.told(chance.choice(("lost", "well", "deferring", "doubtful")), domain)
        elif wish == 6 and not self._wrong:
            courier.resume(domain)
        elif wish == 7:
            chance.choice(self._primaries).cut()
        courier.wake()

    async def _heal(self) -> None:
        """All is well again, and nobody holds anything but a few messages; what waits is given back."""
        for number, primary in enumerate(self._primaries):
            self._recovers(number)
            primary.mischief.weather = CALM
            if primary.away:
                await primary.come()
        ids = [entry.id for entry in self.book.entries]
        await self._spool.release([id for id in ids if self._state(id) is State.HELD], "ann", "the end", self._time.now)
        await self._spool.hold([id for id in ids if self._state(id) is State.WAITING][::10], "ann", "to the end", self._time.now)
        for _ in range(20):
            for name in PRIMARIES:
                self._house.courier.resume(name)
            await self._quiet()
            await self._time.pass_by(max(JUMPS_S) + 60)
            await self._quiet()
            if State.WAITING not in self._spool.census().total:
                return

    def _state(self, id: MessageId) -> State | None:
        message = self._spool.get(id)
        return message.state() if message else None


def _ghosts() -> list[asyncio.Task[Any]]:
    """All that the courier left running."""
    own = asyncio.current_task()
    return [task for task in asyncio.all_tasks() if task is not own and task.get_name() != "primary"]
