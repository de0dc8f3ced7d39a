"""Each conversation in this folder goes as it is written, in plain text and within TLS, whole and octet by octet."""

import asyncio
import json
import ssl
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from backupmx.config import Smtp
from backupmx.core.message import Message
from backupmx.edge.certificate import Certificate
from tests.dialogues.script import Script, read
from tests.edge.door import Client, Door, client, content_of, door, until

SCRIPTS = {path.stem: read(path) for path in sorted(Path(__file__).parent.glob("*.smtp"))}
TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """One certificate for all."""
    return Certificate.of(None, None, tmp_path_factory.mktemp("tls"), "mx2.test").context


def test_there_are_enough_of_them() -> None:
    """At least a hundred and twenty, each with a promise of its own."""
    assert len(SCRIPTS) >= 120
    assert len({script.promise for script in SCRIPTS.values()}) == len(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
async def test_in_plain_text(name: str, ours: ssl.SSLContext) -> None:
    """All that the client says between two replies comes in one packet; then octet by octet."""
    script = SCRIPTS[name]
    if "tls" not in script.only:
        for whole in (True, False) if "whole" not in script.only else (True,):
            async with (
                door(Smtp.model_validate_json(json.dumps(script.settings)), tls=ours) as at,
                client(at.port, hello=None) as talk,
            ):
                await play(script, talk, at, whole)


@pytest.mark.parametrize("name", SCRIPTS)
async def test_within_tls(name: str, ours: ssl.SSLContext) -> None:
    """The same, each octet a record of its own."""
    script = SCRIPTS[name]
    if "plain" not in script.only:
        for whole in (True, False) if "whole" not in script.only else (True,):
            async with (
                door(Smtp.model_validate_json(json.dumps(script.settings)), tls=ours) as at,
                client(at.port, hello=None) as talk,
            ):
                assert (await talk.reply()).startswith("220 ")
                assert (await talk.say("STARTTLS")).startswith("220 ")
                await talk.writer.start_tls(TRUSTING)
                await play(script, talk, at, whole, greeted=True)


async def play(script: Script, talk: Client, at: Door, whole: bool, greeted: bool = False) -> None:
    """Say and hear; then look at what is held."""
    for number, (kind, what) in enumerate(script.steps[1:] if greeted else script.steps, 1):
        where = f"step {number}, {'whole' if whole else 'octet by octet'}: {what!r}"
        if isinstance(what, bytes):
            await say(talk, what, whole)
        elif kind == "CLOSED":
            assert await talk.reply() == "", where
        elif kind == "REPLY":
            assert (heard := await talk.reply()).startswith(what), f"{where}: {heard}"
        else:
            async with asyncio.timeout(10):
                line = (await talk.reader.readline()).decode("ascii")
            assert line.endswith("\r\n"), where
            assert fnmatchcase(line[:-2], what.replace("[", "[[]")), f"{where}: {line}"
    if script.held is not None:
        held = script.held
        await until(lambda: len(at.spool.messages) == len(held), "held")
        for (envelope, lines), id in zip(held, sorted(at.spool.messages), strict=True):
            assert shown(at.spool.messages[id]) == envelope
            if lines:
                assert content_of(at.spool.contents[id]) == b"\r\n".join(lines) + b"\r\n"


def shown(message: Message) -> str:
    """An envelope, as the files write it."""
    return f"{message.envelope.sender} -> {', '.join(recipient.address for recipient in message.envelope.recipients)}".strip()


async def say(talk: Client, octets: bytes, whole: bool) -> None:
    """In one packet or in many."""
    for piece in [octets] if whole else [octets[i : i + 1] for i in range(len(octets))]:
        talk.send(piece)
        try:
            await talk.writer.drain()
        except ConnectionError:
            return  # it has ended already: what it said before is still to be heard
        if not whole:
            await asyncio.sleep(0)
