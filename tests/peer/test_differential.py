"""The same sessions through Postfix and through ours: every difference stands in `differences.md`, with the reason. Needs root.

Postfix is a backup MX for example.com as Debian sets it up, but for what later releases have as the default: bare line feeds
normalised, pipelining out of turn refused. Compared are the first digits of all replies, and what is held of each message.
"""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from backupmx.config import Smtp
from tests.edge.door import Client, client, door
from tests.peer.postfix import Postfix, postfix
from tests.peer.sessions import SESSIONS, Step, of_corpus
from tests.peer.test_corpus import CORPUS
from tests.serve.instance import free_port

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]

TABLE = Path(__file__).with_name("differences.md")
BACKUP_MX = (
    "relay_domains = example.com",
    "virtual_mailbox_domains =",
    "virtual_mailbox_maps =",
    "message_size_limit = 65536",
    "smtpd_forbid_bare_newline = normalize",
    "smtpd_forbid_unauth_pipelining = yes",
    "smtpd_end_of_data_restrictions = check_client_access static:HOLD",
    "smtpd_error_sleep_time = 0",
)
QUEUED = re.compile(r"queued as (\S+)")
OWN_FIELD = re.compile(rb"Received: .*? [+-][0-9]{4}(?: \([A-Z]+\))?\r\n", re.DOTALL)
RETURN_PATH = re.compile(rb"^Return-Path:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)
SILENCE_S = 3.0
SHOWN = 30
"""Octets of a content that the table shows, from the first that differs."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one session: first digits of the replies, a dot for an end, and what is held."""

    replies: str
    held: tuple[bytes, ...]

    def told(self, other: "Result") -> str:
        """For the table."""
        parts = [self.replies] if self.replies != other.replies else []
        if len(self.held) != len(other.held):
            parts.append(f"holds {len(self.held)}")
        else:
            parts += [excerpt(one, another) for one, another in zip(self.held, other.held, strict=True) if one != another]
        return ", ".join(parts)


def excerpt(content: bytes, other: bytes) -> str:
    """Where it differs, in printable characters."""
    same = next((i for i, (a, b) in enumerate(zip(content, other, strict=False)) if a != b), min(len(content), len(other)))
    shown = content[same : same + SHOWN].decode("ascii", "backslashreplace").encode("unicode_escape").decode()
    return f"`{shown}`".replace("|", "\\x7c").replace("\\\\", "\\") + f" at {same}"


async def hear(talk: Client) -> str:
    """The next reply; empty at the end, a dash for none in time."""
    try:
        async with asyncio.timeout(SILENCE_S):
            return await talk.reply()
    except TimeoutError:
        return "-"
    except ConnectionError:
        return ""


async def say(port: int, steps: list[Step]) -> tuple[str, list[str]]:
    """All of it, and hang up; returns the first digits of the replies, and the ids of what was accepted."""
    async with client(port, hello=None) as talk:
        said = [await hear(talk)]
        for step in steps:
            octets, count = (step.encode() + b"\r\n", 1) if isinstance(step, str) else step
            if said[-1]:
                talk.send(octets)
                said += [await hear(talk) for _ in range(count)]
        if said[-1] and not talk.writer.is_closing():
            talk.writer.write_eof()
        while said[-1]:
            said.append(await hear(talk))
    ids = [match[1] for reply in said if (match := QUEUED.search(reply))]
    return "".join(reply[:1] or "." for reply in said).rstrip(".") + ".", ids


async def through_ours(sessions: dict[str, list[Step]]) -> dict[str, Result]:
    """A fresh door, a connection a session."""
    results = {}
    async with door(Smtp(max_message_size=65536)) as at:
        for name, steps in sessions.items():
            replies, ids = await say(at.port, steps)
            results[name] = Result(replies, tuple(without_field(at.spool.contents[id]) for id in ids))
        assert sum(len(result.held) for result in results.values()) == len(at.spool.contents)
    return results


@contextmanager
def backup_mx(port: int) -> Iterator[Postfix]:
    """A Postfix that runs, and holds what it takes."""
    with postfix(port) as peer:
        subprocess.run(["postconf", "-c", str(peer._place / "etc"), "-e", *BACKUP_MX], check=True, timeout=20)
        peer.start()
        yield peer


async def through_postfix(sessions: dict[str, list[Step]], at: Postfix, port: int) -> dict[str, Result]:
    """One instance, a connection a session; what it holds is read with its own tool."""
    results = {}
    for name, steps in sessions.items():
        replies, ids = await say(port, steps)
        results[name] = Result(replies, tuple(without_field(held_by(at, id)) for id in ids))
    return results


def held_by(at: Postfix, id: str) -> bytes:
    """Content with its line ends as on the wire."""
    etc = str(at._place / "etc")
    done = subprocess.run(["postcat", "-c", etc, "-qhb", id], capture_output=True, check=True, timeout=20)
    return done.stdout.replace(b"\n", b"\r\n")


def without_field(stored: bytes) -> bytes:
    """What stands behind the field that the server put in front."""
    match = OWN_FIELD.match(stored)
    assert match, stored[:200]
    return stored[match.end() :]


def without_return_path(result: Result) -> Result:
    """Real messages have it where they were delivered; Postfix takes it away, as the script of that name shows."""
    heads = (content.partition(b"\r\n\r\n") for content in result.held)
    return Result(result.replies, tuple(RETURN_PATH.sub(b"", head + b"\r\n")[:-2] + end + body for head, end, body in heads))


def table() -> dict[str, tuple[str, str, str]]:
    """What is explained: name → Postfix, ours, why."""
    rows = {}
    for line in TABLE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith(("| session", "| ---")):
            name, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
            assert len(cells) == 3, line
            assert name not in rows, name
            assert cells[2], f"{name}: no reason"
            rows[name] = (cells[0], cells[1], cells[2])
    return rows


async def test_every_difference_from_postfix_is_explained() -> None:
    """What is not in the table fails, and so does a row that is no longer so."""
    sessions = SESSIONS | of_corpus(CORPUS)
    port = free_port()
    with backup_mx(port) as peer:
        theirs = await through_postfix(sessions, peer, port)
    ours = await through_ours(sessions)
    for name in sessions.keys() - SESSIONS.keys():
        theirs[name], ours[name] = without_return_path(theirs[name]), without_return_path(ours[name])
    assert sum(bool(result.held) for result in ours.values()) > 40
    found = {
        name: (theirs[name].told(ours[name]), ours[name].told(theirs[name])) for name in sessions if theirs[name] != ours[name]
    }
    explained = {name: row[:2] for name, row in table().items() if name in sessions or not name.endswith(".eml")}
    news = [f"| {name} | {a} | {b} | … |" for name, (a, b) in found.items() if explained.get(name) != (a, b)]
    assert not news, "\n".join(["not explained:", *news])
    stale = sorted(explained.keys() - found.keys())
    assert not stale, f"explained, and not so: {stale}"
