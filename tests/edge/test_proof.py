"""How a sender is known to be who it says it is, at the door: in the envelope, and in nothing that the client hears (I3, I9)."""

import time
from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs

from backupmx.config import Smtp
from backupmx.core.message import Envelope, Proof
from backupmx.edge.arrival import SHARE
from tests.admission.senders import CLIENT, PASS, House, house
from tests.admission.signer import LETTER, Signer
from tests.edge.door import Client, Door, client, door

SIGNER = Signer()
SIGNED = SIGNER.sign()
TRUSTING = Smtp(xclient_from=(ip_network("127.0.0.0/8"),))


async def comes_from(talk: Client, address: str) -> None:
    """The client is said to be elsewhere."""
    assert (await talk.say(f"XCLIENT ADDR={address}")).startswith("220 ")
    await talk.say("EHLO client.test")


async def held(at: House, content: bytes, address: str = CLIENT, sender: str = "a@sender.test") -> Proof:
    """The proof that a message is held with."""
    async with door(TRUSTING, prove=at.senders.prove) as edge, client(edge.port) as talk:
        await comes_from(talk, address)
        assert (await talk.begin(sender)).startswith("354 ")
        talk.send(content + b".\r\n")
        assert (await talk.reply()).startswith("250 2.0.0 ")
        return proof_in(edge)


def proof_in(edge: Door) -> Proof:
    """Of the one message that it holds."""
    (message,) = edge.spool.messages.values()
    return message.envelope.proof


async def test_a_client_that_may_send_for_the_domain() -> None:
    """SPF; another client proves nothing with it, neither does one on loopback, nor the null sender."""
    async with house() as at:
        at.spf(PASS)
        assert await held(at, LETTER) is Proof.SPF
        assert await held(at, LETTER, "192.0.2.8") is Proof.NONE
        assert await held(at, LETTER, "127.0.0.1") is Proof.NONE
        assert await held(at, LETTER, sender="") is Proof.NONE


@pytest.mark.parametrize("chunks", [0, 1, 3])
async def test_a_signature_of_the_domain(chunks: int) -> None:
    """DKIM, over the very octets that came: dots undone, without our own field; by DATA or BDAT."""
    content = SIGNER.sign(b"From: a@sender.test\r\n\r\n.\r\n..\r\nend\r\n", canon=b"simple")
    async with house() as at, door(TRUSTING, prove=at.senders.prove) as edge, client(edge.port) as talk:
        at.names.has(SIGNER.name, "TXT", SIGNER.record())
        await comes_from(talk, CLIENT)
        await talk.say("MAIL FROM:<a@sender.test>")
        await talk.say("RCPT TO:<user@example.com>")
        if chunks:
            size = -(-len(content) // chunks)
            for start in range(0, len(content), size):
                piece = content[start : start + size]
                last = b" LAST" if start + size >= len(content) else b""
                talk.send(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
                answer = await talk.reply()
        else:
            await talk.say("DATA")
            talk.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            answer = await talk.reply()
        assert answer.startswith("250 2.0.0 ")
        assert edge.held() == [content]
        assert proof_in(edge) is Proof.DKIM


async def test_a_signature_of_content_that_begins_with_a_blank() -> None:
    """An empty line was put in front of it: it has no head, and no signature."""
    async with house() as at:
        at.names.has(SIGNER.name, "TXT", SIGNER.record())
        assert await held(at, b" \r\n" + SIGNED) is Proof.NONE
        assert not at.troubles


async def test_content_that_is_larger_than_memory_is_for() -> None:
    """No signature of it is looked for; SPF is all the same."""
    large = SIGNER.sign(LETTER + b"x" * 70 * (SHARE // 20) + b"\r\n")
    small = SIGNER.sign(LETTER + b"x" * 70 * (SHARE // 71) + b"\r\n")
    async with house() as at:
        at.names.has(SIGNER.name, "TXT", SIGNER.record())
        assert await held(at, small) is Proof.DKIM
        assert await held(at, large) is Proof.NONE
        at.spf(PASS, "other.test")
        assert await held(at, large, sender="a@other.test") is Proof.SPF


async def test_the_answer_comes_although_dns_is_silent() -> None:
    """I9: within the budget, and it is what it would have been."""
    async with house(budget=0.2) as at:
        at.names.silent = True
        began = time.monotonic()
        assert await held(at, SIGNED) is Proof.NONE
        assert time.monotonic() - began < 2.0


async def test_a_check_that_breaks_costs_no_message() -> None:
    """I9: the message is held, without a proof."""

    async def broken(envelope: Envelope, content: bytes | None) -> Proof:
        raise ZeroDivisionError("a bug")

    async with door(prove=broken) as edge, client(edge.port) as talk:
        with capture_logs() as logs:
            assert (await talk.mail(LETTER + b".\r\n")).startswith("250 2.0.0 ")
        assert proof_in(edge) is Proof.NONE
        assert [line["where"] for line in logs if line["event"] == "trouble"] == ["proof"]


async def test_nothing_is_asked_for_what_is_not_taken() -> None:
    """Too large: it is refused before anybody wonders whose it is."""
    doubted: list[Envelope] = []

    async def prove(envelope: Envelope, content: bytes | None) -> Proof:
        doubted.append(envelope)
        return Proof.NONE

    async with door(Smtp(max_message_size=1000), prove=prove) as edge, client(edge.port) as talk:
        assert (await talk.mail(b"x" * 2000 + b"\r\n.\r\n")).startswith("552 ")
        assert not doubted
        assert (await talk.mail(b"x\r\n.\r\n")).startswith("250 ")
        assert [envelope.sender for envelope in doubted] == ["a@sender.test"]


async def test_what_is_looked_at_is_what_the_client_sent() -> None:
    """Nothing of ours in front of it; all of it, or nothing."""
    looked_at: list[bytes | None] = []

    async def prove(envelope: Envelope, content: bytes | None) -> Proof:
        looked_at.append(content)
        return Proof.NONE

    async with door(prove=prove) as edge, client(edge.port) as talk:
        for content in (LETTER, b" " + LETTER, LETTER + b"x" * 3 * SHARE + b"\r\n"):
            assert (await talk.mail(content + b".\r\n")).startswith("250 ")
        assert looked_at == [LETTER, b"\r\n " + LETTER, None]


async def test_memory_is_counted_until_it_is_known_whose_it_is() -> None:
    """I4: many messages that wait for DNS make shares tight, like any that wait in memory."""
    counted: list[int] = []

    async def prove(envelope: Envelope, content: bytes | None) -> Proof:
        counted.append(edge.edge._dock.waiting)
        return Proof.NONE

    async with door(prove=prove) as edge, client(edge.port) as talk:
        await talk.mail(LETTER + b".\r\n")
        assert counted[0] > len(LETTER)
        assert edge.edge._dock.waiting == 0
