"""Postfix as primaries of real life are set up: screened, greylisting, with small limits, with TLS or without. Needs root."""

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import trustme

from tests.courier.papers import authority_file
from tests.peer.postfix import POSTSCREEN, Postfix, postfix
from tests.serve.instance import Client, Instance, eventually, running

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]

SOON = 'retry_min = "1s"'
SCREENED = """\
postscreen_greet_wait = 2s
postscreen_greet_action = enforce
postscreen_pipelining_enable = yes
postscreen_pipelining_action = enforce
postscreen_non_smtp_command_enable = yes
postscreen_non_smtp_command_action = enforce
postscreen_bare_newline_enable = yes
postscreen_bare_newline_action = enforce
"""
"""Before it greets, and after it: who passes has to come again."""
SIZE_LIMIT = 50_000
NAMES = tuple(f"user{number}" for number in range(12))
MAILBOXES = f"virtual_mailbox_maps = inline:{{{', '.join(f'{name}@example.com=user/' for name in ('user', *NAMES))}}}\n"
"""All in one directory; whose copy it is stands in `Delivered-To`."""


def put(instance: Instance, mark: str, *to: str, sender: str = "a@sender.test", size: int = 0) -> None:
    """One message with its mark in it, for `user` or others."""
    content = f"X-Mark: {mark}\r\n\r\n".encode() + b"some text of a letter\r\n" * (size // 23)
    recipients = tuple(f"{name}@example.com" for name in to or ("user",))
    with Client(instance.port) as client:
        said = client.mail(content, sender, recipients)
        assert said.startswith("250 2.0.0 Ok: queued as 0"), said


def marks(primary: Postfix) -> list[str]:
    """Of what is in the mailbox, once for each copy."""
    return sorted(field(mail, b"X-Mark") for mail in primary.mail())


def field(mail: bytes, name: bytes) -> str:
    return mail.partition(name + b": ")[2].partition(b"\n")[0].decode()


def waiting(instance: Instance) -> int:
    return int(instance.status()["queue"]["messages"])


def quarantined(instance: Instance) -> int:
    return int(instance.status()["queue"]["quarantined"])


def trouble(instance: Instance) -> str:
    """What is said to be wrong with the primary."""
    return str(instance.status()["domains"][0]["primary"]["last_error"])


# Who wants to see us twice


def test_postscreen_finds_no_fault_with_us_and_takes_all_when_we_come_again(tmp_path: Path) -> None:
    """We wait for the whole greeting, and send nothing ahead that is not offered; the first connection gets nothing through."""
    sent = [f"screened-{number}" for number in range(8)]
    with running(tmp_path, tables=SOON) as instance, postfix(instance.primary.port, SCREENED, POSTSCREEN) as primary:
        for mark in sent:
            put(instance, mark)
        primary.start()
        eventually(lambda: len(primary.mail()) == len(sent), "all are in the mailbox")
        assert marks(primary) == sent
        assert waiting(instance) + quarantined(instance) == 0
        log = primary.log()
        assert "450 4.3.2 Service currently unavailable" in log
        assert "PASS NEW [127.0.0.1]" in log
        for fault in ("PREGREET", "HANGUP", "PIPELINING", "BARE NEWLINE", "NON-SMTP COMMAND"):
            assert fault not in log


class Greylist(socketserver.ThreadingTCPServer):
    """A policy server (Postfix's SMTPD_POLICY_README) that puts off whom it has not seen; friends are never strangers."""

    daemon_threads = True

    def __init__(self, friend: str) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self._friend = friend
        self._lock = threading.Lock()
        self.asked: list[tuple[str, ...]] = []
        """Client, sender and recipient, each time."""

    def judge(self, attributes: dict[str, str]) -> str:
        triplet = (attributes["client_address"], attributes["sender"], attributes["recipient"])
        with self._lock:
            stranger = triplet not in self.asked and attributes["recipient"] != self._friend
            self.asked.append(triplet)
        return "defer_if_permit 4.2.0 greylisted" if stranger else "dunno"


class _Asked(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        attributes: dict[str, str] = {}
        for line in self.rfile:
            name, _, value = line.decode().rstrip("\n").partition("=")
            if name:
                attributes[name] = value
            else:
                verdict = cast(Greylist, self.server).judge(attributes)
                self.wfile.write(f"action={verdict}\n\n".encode())


@contextmanager
def greylist(friend: str) -> Iterator[Greylist]:
    """Surely closed afterwards."""
    with Greylist(friend) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join()


def test_greylisted_mail_comes_at_the_second_attempt_and_holds_up_no_other(tmp_path: Path) -> None:
    """Each has its own clock; a dozen in a row that are put off do not stop those behind them."""
    strangers = [f"stranger-{number:02}" for number in range(12)]
    friends = [f"friend-{number}" for number in range(4)]
    with greylist("user1@example.com") as policy:
        settings = f"{MAILBOXES}smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{policy.server_address[1]}\n"
        with running(tmp_path, tables='retry_min = "6s"') as instance, postfix(instance.primary.port, settings) as primary:
            for mark in strangers:
                put(instance, mark, sender=f"{mark}@sender.test")
            for mark in friends:
                put(instance, mark, "user1", sender=f"{mark}@sender.test")
            primary.start()
            eventually(lambda: len(primary.mail()) == len(strangers + friends), "all are in the mailbox")
            assert marks(primary) == sorted(strangers + friends)
            assert waiting(instance) + quarantined(instance) == 0
        asked = [sender.partition("@")[0] for _, sender, _ in policy.asked if sender]
        assert Counter(asked) == Counter(friends) + Counter(strangers * 2)
        assert set(asked[: len(strangers + friends)]) == {*strangers, *friends}  # nobody came again before all had been there
        assert "450 4.2.0 <user@example.com>: Recipient address rejected: greylisted" in instance.log.read_text()


# Limits that are smaller than ours


def test_a_message_beyond_its_size_limit_stops_no_other(tmp_path: Path) -> None:
    """Nothing of it is sent; it is the admin's (I3), and the first one after an outage raises no doubts about a sound primary."""
    settings = f"message_size_limit = {SIZE_LIMIT}\n"
    with running(tmp_path, tables=SOON) as instance, postfix(instance.primary.port, settings) as primary:
        put(instance, "huge", size=SIZE_LIMIT + 10_000)
        put(instance, "small")
        put(instance, "large", size=SIZE_LIMIT - 10_000)
        primary.start()
        eventually(lambda: len(primary.mail()) == 2, "the others are in the mailbox")
        assert marks(primary) == ["large", "small"]
        eventually(lambda: quarantined(instance) == 1, "it is set aside")
        assert waiting(instance) == 0
        listed = instance.cli("queue", "list", "--state", "quarantined", "--json").stdout
        assert "552 5.3.4 " in listed


def test_all_recipients_get_what_it_takes_for_a_few_at_a_time(tmp_path: Path) -> None:
    """452 4.5.3 is no judgement: those beyond it come in the next transaction, and nobody gets it twice."""
    with running(tmp_path) as instance:
        settings = f"{MAILBOXES}smtpd_recipient_limit = 5\n"
        with postfix(instance.primary.port, settings) as primary:
            put(instance, "many", *NAMES)
            primary.start()
            eventually(lambda: len(primary.mail()) >= len(NAMES), "all are in the mailbox")
            eventually(lambda: waiting(instance) == 0, "the queue drains")
            to = sorted(field(mail, b"Delivered-To") for mail in primary.mail())
            assert to == sorted(f"{name}@example.com" for name in NAMES)
            assert marks(primary) == ["many"] * len(NAMES)
            assert "deferred" not in instance.log.read_text()
            assert quarantined(instance) == 0


# TLS


def encrypted(ca: trustme.CA, place: Path) -> str:
    """Settings of a Postfix that takes nothing outside of TLS, with a certificate of this authority."""
    certificate, pem = ca.issue_cert("127.0.0.1"), place / "primary.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
    return f"smtpd_tls_security_level = encrypt\nsmtpd_tls_chain_files = {pem}\nsmtpd_tls_received_header = yes\n"


@pytest.mark.parametrize("policy", ["opportunistic", "required"])
def test_a_primary_that_demands_tls_gets_it(tmp_path: Path, policy: str) -> None:
    """From whoever it may be: nobody here knows its authority."""
    with running(tmp_path, start=False) as instance, postfix(instance.primary.port, encrypted(trustme.CA(), tmp_path)) as primary:
        instance.configure(f'tls = "{policy}"')
        instance.start()
        put(instance, "encrypted")
        primary.start()
        eventually(lambda: len(primary.mail()) == 1, "it is in the mailbox")
        assert b"(using TLSv1.3 with cipher" in primary.mail()[0]
        eventually(lambda: waiting(instance) == 0, "the queue drains")


def test_mail_waits_for_a_primary_with_the_right_certificate(tmp_path: Path) -> None:
    """`verify`: one of an unknown authority gets nothing; of the right one, all."""
    ca, other = trustme.CA(), trustme.CA()
    with running(tmp_path, start=False) as instance, postfix(instance.primary.port, encrypted(ca, tmp_path)) as primary:
        instance.configure(f'tls = "verify"\ntls_ca_file = "{authority_file(other, tmp_path)}"')
        instance.start()
        put(instance, "for-the-right-one")
        primary.start()
        eventually(lambda: "certificate" in trouble(instance), "it is told what is wrong")
        assert waiting(instance) == 1
        assert "MAIL FROM" not in primary.log()
        instance.configure(f'tls = "verify"\ntls_ca_file = "{authority_file(ca, tmp_path)}"')
        assert instance.cli("reload").returncode == 0
        eventually(lambda: len(primary.mail()) == 1, "it is in the mailbox")
        assert b"(using TLSv1.3 with cipher" in primary.mail()[0]


def test_mail_waits_for_a_primary_that_has_no_tls(tmp_path: Path) -> None:
    """`required`: nothing is said in plain text; it goes once the admin asks for less."""
    with running(tmp_path, start=False) as instance, postfix(instance.primary.port) as primary:
        instance.configure('tls = "required"')
        instance.start()
        put(instance, "not-in-plain-text")
        primary.start()
        eventually(lambda: "does not offer STARTTLS" in trouble(instance), "it is told what is wrong")
        assert waiting(instance) == 1
        assert not primary.mail()
        instance.configure()
        assert instance.cli("reload").returncode == 0
        eventually(lambda: len(primary.mail()) == 1, "it is in the mailbox")
        assert quarantined(instance) == 0
