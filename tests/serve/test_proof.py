"""Who is known to be who it says it is, by a real server that asks a real nameserver (I3)."""

import asyncio
from pathlib import Path

from backupmx.core.message import Proof
from backupmx.core.queue import Filter
from backupmx.spool.store import LmdbSpool
from tests.admission.senders import CLIENT, PASS
from tests.admission.signer import Signer
from tests.courier.nameserver import Nameserver
from tests.serve.instance import Client, Instance, running


def sends(instance: Instance, letter: bytes, *senders: str) -> None:
    """From an address that may send for the first domain."""
    with Client(instance.port) as client:
        assert client.say(f"XCLIENT ADDR={CLIENT}").startswith("220 ")
        client.say("EHLO client.test")
        for sender in senders:
            assert client.mail(letter, sender).startswith("250 ")


async def test_the_proof_of_a_sender_is_held_with_the_message(tmp_path: Path) -> None:
    """By the configured nameservers."""
    signer = Signer("signs.test")
    async with Nameserver() as names:
        names.has("lists.test", "TXT", PASS).has(signer.name, "TXT", signer.record())
        with running(tmp_path, tables=f'[dns]\nnameservers = ["{names.place}"]', start=False) as instance:
            instance.configure(smtp='xclient_from = ["127.0.0.1"]')
            instance.start()
            await asyncio.to_thread(sends, instance, signer.sign(), "a@lists.test", "a@signs.test", "a@neither.test", "")
            assert await asyncio.to_thread(instance.stop) == 0
    spool = LmdbSpool(tmp_path / "spool", owner="test", reserve=0)
    proofs = {message.envelope.sender: message.envelope.proof for message in spool.page(Filter()).messages}
    spool.close()
    assert proofs == {"a@lists.test": Proof.SPF, "a@signs.test": Proof.DKIM, "a@neither.test": Proof.NONE, "": Proof.NONE}
