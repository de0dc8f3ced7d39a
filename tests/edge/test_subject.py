"""What a message is about is kept with it, however it comes."""

import pytest

from backupmx.edge.arrival import SHARE
from tests.edge.door import Door, client, door

HEADER = b"From: a@sender.test\r\nsubject: =?utf-8?q?R=C3=A4kning?=\r\n for you\r\nTo: user@example.com\r\n"
SUBJECT = "=?utf-8?q?R=C3=A4kning?= for you"


def subjects(at: Door) -> list[str]:
    return [message.subject for _, message in sorted(at.spool.messages.items())]


@pytest.mark.parametrize("size", [0, 1000, SHARE + 1, 4 * SHARE])
async def test_small_and_large_messages_keep_their_subject(size: int) -> None:
    """Also of what goes to the spool piece by piece; the text has none."""
    async with door() as at, client(at.port) as talk:
        await talk.begin()
        talk.send(HEADER + b"\r\nSubject: not this\r\n" + b"x" * 70 * (size // 70) + b"\r\n.\r\n")
        assert (await talk.reply()).startswith("250")
        assert subjects(at) == [SUBJECT]


async def test_a_message_may_have_none() -> None:
    """What would be more of our own field is text."""
    async with door() as at, client(at.port) as talk:
        for content in (b"\r\nSubject: text\r\n", b" folded\r\nSubject: text\r\n", b"no header\r\n", b""):
            await talk.begin()
            talk.send(content + b".\r\n")
            assert (await talk.reply()).startswith("250")
        assert subjects(at) == ["", "", "", ""]


async def test_chunks_have_one_subject() -> None:
    """BDAT cuts where it likes."""
    async with door() as at, client(at.port) as talk:
        await talk.say("EHLO client.test")
        await talk.say("MAIL FROM:<a@sender.test>")
        await talk.say("RCPT TO:<user@example.com>")
        content = HEADER + b"\r\n" + b"x" * SHARE + b"\r\n"
        for start in (0, 30, 40):
            end = {0: 30, 30: 40}.get(start, len(content))
            last = " LAST" if end == len(content) else ""
            talk.send(f"BDAT {end - start}{last}\r\n".encode() + content[start:end])
            assert (await talk.reply()).startswith("250")
        assert subjects(at) == [SUBJECT]
