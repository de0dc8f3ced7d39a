"""A pytest plug-in for aiosmtpd's own tests: their controller runs our edge, and their codes are compared by class.

It is loaded before their conftest, in a process of its own. Of the two packages that it stands in for they use little: a mock of
the host's name, and the path of a certificate.
"""

import asyncio
import socket
import sys
import threading
import types
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosmtpd.controller
import pytest
from aiosmtpd.testing.statuscodes import StatusCode

from backupmx.config import Smtp
from backupmx.edge.server import Edge
from backupmx.edge.tally import Tally
from backupmx.spool.memory import MemorySpool
from tests.admission.house import everyone, unproven

THEIRS = Path(aiosmtpd.controller.__file__).parent


class OurController:
    """Their controller's face before our edge; handlers are not asked, since we have none."""

    def __init__(self, _handler: Any, hostname: str = "localhost", port: int = 0, **_more: Any) -> None:
        self.hostname = hostname
        self.port = port
        self.smtpd = types.SimpleNamespace(hostname="mx2.test", __ident__="Backup MX")
        self._loop = asyncio.new_event_loop()
        self._edge: Edge
        self._thread: threading.Thread

    def start(self) -> None:
        listener = socket.create_server(("localhost", 0))
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(listener), self._loop).result(10)

    async def _start(self, listener: socket.socket) -> None:
        self._edge = Edge(
            settings=Smtp(),
            hostname="mx2.test",
            spool=MemorySpool(),
            admission=everyone("example.com", "example.org", "example.net"),
            tally=Tally.make(1).row(0),
            clock=lambda: datetime.now(UTC),
            wake=lambda: None,
            ask=lambda _domain: None,
            prove=unproven,
            tls=None,
        )
        await self._edge.start([listener])

    def stop(self) -> None:
        """Their tests may stop what their fixtures stop again."""
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._edge.stop(timedelta(0)), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)


@pytest.fixture(scope="session")
def session_mocker() -> Any:
    """Of pytest-mock: it is asked for one patch, which we need not."""
    return types.SimpleNamespace(patch=lambda *_words, **_more: None)


def same_class(mine: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Words are our own; whether it worked, may be tried again or never will is not."""
    return bool(mine[0] // 100 == other[0] // 100)


def _stand_in(name: str, **members: Any) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


_stand_in("pytest_mock", MockFixture=object)
_stand_in(
    "pkg_resources",
    resource_filename=lambda package, name: str(THEIRS.parent.joinpath(*package.split("."), name)),
)
aiosmtpd.controller.Controller = OurController  # type: ignore[assignment,misc]
StatusCode.__eq__ = same_class  # type: ignore[assignment,method-assign]
StatusCode.__hash__ = tuple.__hash__  # type: ignore[method-assign]
