"""What may be asked of a machine that is nobody's yet, and what it answers.

Knows: the one-time code before everything else; that one claims, and all others hear so.
Does not know: sockets, pages, how files are written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from backupmx import config
from backupmx.config import Settings
from backupmx.control.answers import AnyAnswer, Done, MachineAnswer, Refused, SetupAnswer, SetupChecked, Text
from backupmx.control.conversations import Answers as Answering
from backupmx.control.requests import AnyRequest, BeginSetup, CheckSetup, Claim, GetSetup, GetSetupCode
from backupmx.core.finding import Finding
from backupmx.core.setup import Answers
from backupmx.errors import AlreadySetUp
from backupmx.setup import questions
from backupmx.setup.claim import claim, claimed
from backupmx.setup.code import OneTimeCode
from backupmx.setup.configuration import Places, own_name, written
from backupmx.setup.look import addresses
from backupmx.watch import log

NAME_S = 2.0
"""How long DNS may take to say what this machine is called."""
ROUND_S = 0.5
"""How often it is looked whether there is a configuration."""
LOOK_S = 2.0
"""How long who has the network looked at waits for what is found; it goes on without them."""
NOT_YET = "this machine is not set up yet: open its page in a browser, or run `backupmx init` and `backupmx user add`"
Look = Callable[[Settings], Awaitable[Sequence[Finding]]]


class Desk:
    """Until the machine is somebody's."""

    def __init__(self, places: Places, code: OneTimeCode, look: Look) -> None:
        self._places = places
        self._code = code
        self._look = look
        self._looked: tuple[Settings, asyncio.Task[tuple[Finding, ...]]] | None = None
        self._claiming = asyncio.Lock()
        self._done = False
        self.over = asyncio.Event()
        """Set when the machine is somebody's, and whoever made it so has heard of it."""

    async def answers(self, request: AnyRequest) -> Answering:
        """One for each question."""
        answer = await self._answer(request)
        yield answer
        if isinstance(request, Claim) and isinstance(answer, Done):
            self.over.set()

    async def watch(self) -> None:
        """Somebody else may write a configuration: `backupmx init`, a restored backup, answers that were prepared."""
        while not claimed(self._places):  # noqa: ASYNC110 - a file rings no bell
            await asyncio.sleep(ROUND_S)
        # whoever is claiming it just now is to hear of it first
        async with self._claiming:
            self.over.set()

    async def _answer(self, request: AnyRequest) -> AnyAnswer:
        if self._done or claimed(self._places):
            return SetupAnswer(open=False)
        match request:
            case GetSetup():
                return SetupAnswer(open=True)
            case GetSetupCode():
                return Text(self._code.text)
            case BeginSetup() | CheckSetup():
                return self._code.refused(request.code) or await self._told(request)
            case Claim():
                async with self._claiming:
                    return await self._claim(request.code, request.answers)
            case _:
                return Refused((NOT_YET,))

    async def _told(self, request: BeginSetup | CheckSetup) -> AnyAnswer:
        return await self._check(request) if isinstance(request, CheckSetup) else await _machine()

    async def _check(self, request: CheckSetup) -> SetupChecked:
        if faults := questions.faults(request.answers):
            return SetupChecked(faults)
        settings = self._drafted(request.answers)
        look = self._looked[1] if self._looked and self._looked[0] == settings else None
        if look is None or (request.afresh and look.done()):
            if self._looked:
                self._looked[1].cancel()
            look = asyncio.create_task(self._found(settings))
            self._looked = settings, look
        await asyncio.wait({look}, timeout=LOOK_S)
        if look.done() and not look.cancelled():
            return SetupChecked(findings=look.result())
        return SetupChecked(looking=True)

    async def _found(self, settings: Settings) -> tuple[Finding, ...]:
        return tuple(await self._look(settings))

    async def _claim(self, code: str, answers: Answers) -> AnyAnswer:
        if self._done:
            return SetupAnswer(open=False)
        if refused := self._code.refused(code):
            return refused
        if faults := questions.faults(answers):
            return SetupChecked(faults)
        settings, text = self._drafted(answers), written(answers, self._places)
        try:
            await asyncio.to_thread(claim, self._places, text, answers.name, answers.password_hash)
        except AlreadySetUp:
            return SetupAnswer(open=False)
        self._done = True
        log.claimed(answers.name, next(iter(settings.domains)), settings.hostname)
        return Done()

    def _drafted(self, answers: Answers) -> Settings:
        # what this program writes it must be able to read
        return config.read(written(answers, self._places).encode(), self._places.configuration)


async def _machine() -> MachineAnswer:
    try:
        async with asyncio.timeout(NAME_S):
            name = await asyncio.to_thread(own_name)
    except TimeoutError:
        name = None
    return MachineAnswer(name or "", addresses())
