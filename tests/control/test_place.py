"""Where the control socket stands: a stale one is replaced, a live one never."""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import uvloop

from backupmx.control.answers import AnyAnswer, Done, StatusAnswer
from backupmx.control.requests import GetStatus, Reload
from backupmx.errors import ControlTaken
from control.house import House


async def test_a_live_socket_is_not_taken_over(house: House) -> None:
    """The instance that answers goes on answering."""
    with pytest.raises(ControlTaken, match="another instance answers there"):
        await house.server().start()
    assert isinstance(house.client.ask(GetStatus()), StatusAnswer)


async def test_what_a_killed_instance_left_is_replaced_and_a_stop_leaves_nothing(tmp_path: Path) -> None:
    """Start after `kill -9` needs no hand; its directory is made when it is missing."""
    path = tmp_path / "run" / "c.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    server = House(tmp_path).server(path=path)
    await server.start()
    await server.stop()
    assert not path.exists()
    path.parent.rmdir()
    await server.start()
    assert path.is_socket()
    await server.stop()


async def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    """Nothing of anybody else's is deleted."""
    (tmp_path / "c.sock").write_text("precious")
    with pytest.raises(ControlTaken, match="is no socket"):
        await House(tmp_path).server().start()
    assert (tmp_path / "c.sock").read_text() == "precious"


async def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    """With the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(ControlTaken, match=r"Not a directory|File exists"):
        await House(tmp_path).server(path=tmp_path / "file" / "c.sock").start()


def test_who_asked_for_what_makes_it_stop_has_an_answer(tmp_path: Path) -> None:
    """A reload ends the process that was asked for it, at once; one that asks nothing is not waited for."""
    loop = uvloop.new_event_loop()

    def reload() -> tuple[str, ...]:
        asyncio.run_coroutine_threadsafe(server.stop(), loop)
        # the loop takes the stop up before it hears of our end
        for _ in range(3):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(5)
        return ()

    server = House(tmp_path).server(reload=reload)

    async def run() -> None:
        await server.start()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "c.sock")
        idle, other = await asyncio.open_unix_connection(tmp_path / "c.sock")
        writer.write(msgspec.json.encode(Reload()) + b"\n")
        async with asyncio.timeout(4):
            assert msgspec.json.decode(await reader.readline(), type=AnyAnswer) == Done()
            assert await reader.read() == await idle.read() == b""
        writer.close()
        other.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())


@pytest.mark.parametrize("turns", range(6))
def test_who_comes_while_it_stops_is_sent_away(tmp_path: Path, turns: int) -> None:
    """However far it was let in: uvloop waits for ever for a line that stays open."""

    async def run() -> socket.socket:
        server = House(tmp_path).server()
        await server.start()
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(tmp_path / "c.sock"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.stop()
        return client

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, runner.run(run()) as client:
        client.settimeout(5)
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
