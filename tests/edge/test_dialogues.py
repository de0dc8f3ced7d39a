"""Conversations, as they stand in `dialogues/`: C: what the client says, S: what it hears; * is anything."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.edge.door import client, door

DIALOGUES = {path.stem: path.read_text().splitlines() for path in sorted((Path(__file__).parent / "dialogues").glob("*.smtp"))}


@pytest.mark.parametrize("script", DIALOGUES)
async def test_the_conversation_goes_as_written(script: str) -> None:
    """Each line of the client gets the reply that stands below it."""
    async with door() as at, client(at.port, hello=None) as talk:
        for number, line in enumerate(DIALOGUES[script], 1):
            kind, text = line[:2], line[2:].removeprefix(" ")
            if kind == "C:":
                talk.send(text.encode() + b"\r\n")
            elif line == "S: (closed)":
                assert await talk.reply() == ""
            elif kind == "S:":
                heard = (await talk.reader.readline()).decode().removesuffix("\r\n")
                assert fnmatchcase(heard, text.replace("[", "[[]")), f"{script}:{number}: {heard}"


async def test_a_command_may_come_octet_by_octet() -> None:
    """Packets mean nothing."""
    async with door() as at, client(at.port) as talk:
        for octet in b"NOOP\r\nVRFY x\r\n":
            talk.send(bytes([octet]))
            await talk.writer.drain()
        assert [(await talk.reply())[:3] for _ in range(2)] == ["250", "252"]
