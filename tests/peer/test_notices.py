"""The whole way of a notification: real processes, real DNS, and a stranger's mail server in a network of its own."""

import asyncio
import re
import smtplib
import subprocess
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.message import Message
from email.policy import SMTP
from pathlib import Path

import pytest
from flufl.bounce import all_failures

from tests.courier.primary import ScriptedPrimary
from tests.peer.laboratory import Zone, laboratory
from tests.serve.instance import Instance, Primary, eventually

pytestmark = pytest.mark.peer
WORLD = "bmx-world"
CLIENT = "203.0.113.7"
"""What the sender's SPF record lets send."""
DEFAULTS = '[defaults]\nwhen_primary_up = "spool"\nrecipients = "any"\nlanguage = "sv"'
ZONES = (
    Zone("sender.test", f'@ IN MX 10 mx\n@ IN TXT "v=spf1 ip4:{CLIENT} -all"\nmx IN A 198.51.100.25'),
    Zone("mx2.test", "@ IN A 198.51.100.1"),
)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    """A network with one mail server in it, 198.51.100.25; what it gets is in files."""
    subprocess.run(["ip", "link", "del", "bmx0"], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "del", WORLD], check=False, capture_output=True)
    ip("netns", "add", WORLD)
    ip("link", "add", "bmx0", "type", "veth", "peer", "name", "bmx1", "netns", WORLD)
    ip("addr", "add", "198.51.100.1/24", "dev", "bmx0")
    ip("link", "set", "bmx0", "up")
    ip("-n", WORLD, "addr", "add", "198.51.100.25/24", "dev", "bmx1")
    ip("-n", WORLD, "link", "set", "bmx1", "up")
    place = tmp_path / "got"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    sink = subprocess.Popen(
        ["ip", "netns", "exec", WORLD, "smtp-sink", "-u", "nobody", "-R", str(place), "-D", "%s.", "198.51.100.25:25", "10"],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield place
    finally:
        sink.terminate()
        sink.wait(10)
        ip("link", "del", "bmx0")
        ip("netns", "del", WORLD)


def letters(world: Path) -> Sequence[tuple[str, Message]]:
    """Envelope and content of each, as smtp-sink writes them down."""
    found = []
    for file in sorted(world.iterdir()):
        raw = file.read_bytes()
        envelope = re.search(rb"(?m)^X-Mail-Args: (.*)$", raw)
        if envelope and b"--\n" in raw:
            found.append((envelope[1].decode(), message_from_bytes(raw, policy=SMTP)))
    return found


def hand_in(instance: Instance, client: str, to: str, options: Sequence[str] = ()) -> None:
    """As if this client had sent it."""
    with smtplib.SMTP("127.0.0.1", instance.port, local_hostname="client.sender.test") as line:
        line.ehlo()
        assert line.docmd(f"XCLIENT ADDR={client} NAME=[UNAVAILABLE]")[0] == 220
        line.ehlo()
        assert line.mail("anna@sender.test")[0] == 250
        assert line.rcpt(to, options)[0] == 250
        assert line.data(b"Subject: hello\r\nMessage-ID: <1@sender.test>\r\n\r\nhello\r\n")[0] == 250


async def test_who_was_authenticated_is_told_and_nobody_else(tmp_path: Path, world: Path) -> None:
    """I3: SPF pass by the reverse-path's domain; the others are quarantined, and the stranger's server hears nothing of them."""
    primary = Primary()
    with laboratory(*ZONES) as resolver:
        async with ScriptedPrimary().on("RCPT", "550 5.1.1 no such user", having="never") as refusing:
            primary.port = refusing.port
            instance = Instance(
                tmp_path,
                primary,
                tables=f'[dns]\nnameservers = ["{resolver}"]\n{DEFAULTS}',
            )
            instance.configure(smtp='xclient_from = ["127.0.0.1"]')
            instance.start()
            try:
                await asyncio.to_thread(hand_in, instance, CLIENT, "now@example.com")
                await asyncio.to_thread(eventually, lambda: len(refusing.received) == 1, "the primary is trusted")
                await asyncio.to_thread(hand_in, instance, "203.0.113.66", "never-forged@example.com")
                await asyncio.to_thread(hand_in, instance, CLIENT, "never-told@example.com")
                await asyncio.to_thread(eventually, lambda: len(letters(world)) == 1, "the notification")
                await asyncio.to_thread(eventually, lambda: "event=quarantined" in instance.log.read_text(), "quarantine")
            finally:
                instance.stop()
    ((mail, letter),) = letters(world)
    assert mail.startswith("<>")
    temporary, permanent = all_failures(letter)
    assert not temporary
    assert permanent == {b"never-told@example.com"}
    assert str(letter["Subject"]) == "Ditt meddelande kunde inte levereras"
    assert str(letter["In-Reply-To"]) == "<1@sender.test>"
    said = letter.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    assert "no such user" in said
    assert "to=never-forged@example.com" in next(line for line in instance.log.read_text().splitlines() if "quarantined" in line)
