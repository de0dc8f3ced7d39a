"""Real messages pass through accept, hold and deliver byte for byte (I6)."""

import os
import re
from pathlib import Path

import pytest

from tests.serve.instance import Client, eventually, running

SHARED = Path(os.environ.get("BACKUPMX_SHARED", Path(__file__).parents[2].parent / "shared"))
CORPUS = SHARED / "corpus"
FIELD = re.compile(rb"Received: (?:[^\r\n]|\r\n[ \t])*\r\n")


def with_crlf(content: bytes) -> bytes:
    """As a client that follows the rules sends it."""
    lines = re.split(rb"\r\n|\r|\n", content)
    return b"\r\n".join(lines if lines[-1] == b"" else [*lines, b""])


def stuffed(content: bytes) -> bytes:
    """RFC 5321 section 4.5.2."""
    return re.sub(rb"(?m)^\.", b"..", content)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real messages is not at BACKUPMX_SHARED/corpus")
def test_real_messages_pass_byte_for_byte(tmp_path: Path) -> None:
    """What arrives is one Received field with the id of the 250, and what was sent."""
    sent: dict[str, bytes] = {}
    with running(tmp_path) as instance:
        for path in sorted(CORPUS.glob("*.eml")):
            content = with_crlf(path.read_bytes())
            with Client(instance.port) as client:
                reply = client.mail(stuffed(content))
            assert reply.startswith("250 2.0.0 "), f"{path.name}: {reply}"
            sent[reply.split()[-1]] = content
        assert len(sent) > 100
        assert instance.status()["queue"]["messages"] == len(sent)
        instance.primary.start()
        eventually(lambda: instance.status()["queue"]["messages"] == 0, "the queue drains")
        arrived = [content for _, _, content in instance.primary.received]
    assert len(arrived) == len(sent)
    for content in arrived:
        id = next(id for id in sent if id.encode() in content[:1000])
        assert content.endswith(sent[id]), id
        assert FIELD.fullmatch(content[: len(content) - len(sent[id])]), id
        del sent[id]
    assert not sent
