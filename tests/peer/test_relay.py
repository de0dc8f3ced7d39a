"""With a real Postfix as the primary that is asked in the session, comes and goes. Needs root."""

from pathlib import Path

import pytest

from tests.peer.postfix import postfix
from tests.serve.instance import Client, Instance, eventually, running

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]

TRUST = "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
BLOCK = "smtpd_recipient_restrictions = check_client_access inline:{{198.51.100.9 = 554 5.7.1 blocked by the primary}}\n"
GUESTS = 'xclient_from = ["127.0.0.1"]'
"""So that the test's own client may say who it is."""


def state(instance: Instance) -> str:
    return str(instance.status()["domains"][0]["primary"]["state"])


def waiting(instance: Instance) -> int:
    return int(instance.status()["queue"]["messages"])


def test_postfix_has_the_last_word_while_it_is_up_and_is_remembered_when_it_is_gone(tmp_path: Path) -> None:
    """I1, I3: nobody unknown comes in while Postfix answers; who is known is taken while it is away; an old no is 450."""
    with running(tmp_path) as instance, postfix(instance.primary.port) as primary:
        primary.start()
        eventually(lambda: state(instance) == "up", "Postfix is found")
        with Client(instance.port) as client:
            said = client.mail(b"X-Mark: relayed\r\n\r\nhello\r\n..\r\n")
            assert said.startswith("250 2.0.0 Ok: queued as ")
            assert client.say("MAIL FROM:<a@sender.test>").startswith("250 ")
            assert client.say("RCPT TO:<nobody@example.com>").startswith(
                "550 5.1.1 <nobody@example.com>: Recipient address rejected"
            )
            assert client.say("RCPT TO:<user+tag@example.com>").startswith("550 5.1.1 ")  # this Postfix has no delimiter
        assert waiting(instance) == 0
        eventually(lambda: len(primary.mail()) == 1, "it is in the mailbox")
        assert b"X-Mark: relayed\n\nhello\n.\n" in primary.mail()[0]
        eventually(lambda: "user@example.com" in instance.cli("recipients", "list", "--json").stdout, "it was learned")
        eventually(lambda: "nobody@example.com" in instance.cli("recipients", "list", "--json").stdout, "and so was the no")
        primary.stop()
        with Client(instance.port) as client:
            assert client.mail(b"X-Mark: kept\r\n\r\nhello\r\n").startswith("250 2.0.0 Ok: queued as 0")
            assert client.say("MAIL FROM:<a@sender.test>").startswith("250 ")
            assert client.say("RCPT TO:<nobody@example.com>").startswith("450 4.1.1 ")
        assert waiting(instance) == 1
        primary.start()
        eventually(lambda: waiting(instance) == 0, "the queue drains")
        eventually(lambda: len(primary.mail()) == 2, "both are in the mailbox")
        assert instance.status()["queue"]["quarantined"] == 0


def test_postfix_judges_the_client_itself_when_it_trusts_us(tmp_path: Path) -> None:
    """XCLIENT: address and name of the client decide, not ours; the next client on the same connection is another."""
    with running(tmp_path, start=False) as instance, postfix(instance.primary.port, TRUST + BLOCK) as primary:
        instance.configure(smtp=GUESTS)
        instance.start()
        primary.start()
        eventually(lambda: state(instance) == "up", "Postfix is found")
        for address, helo, code in (("198.51.100.9", "bad.test", "554 5.7.1 "), ("203.0.113.5", "good.test", "250 ")):
            with Client(instance.port) as client:
                assert client.say(f"XCLIENT ADDR={address} HELO={helo} PROTO=ESMTP").startswith("220 ")
                assert client.say(f"EHLO {helo}").startswith("250-")
                said = client.mail(b"X-Mark: introduced\r\n\r\nhello\r\n")
                assert said.startswith(code), said
        eventually(lambda: len(primary.mail()) == 1, "one is in the mailbox")
        assert b"from good.test (unknown [203.0.113.5])" in primary.mail()[0]
        assert "198.51.100.9" in primary.log()
        assert waiting(instance) == 0
