"""The stand-in primary keeps what it is given byte for byte, and is gone when it is gone."""

import smtplib
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice

import pytest

from backupmx.demo.ledger import Arrival, Letter
from backupmx.demo.letters import KINDS, letters
from backupmx.demo.primary import Primary

FIELD = b"Received: by mx2.test;\r\n\tnow\r\n"


@pytest.fixture
def arrived() -> list[Arrival]:
    return []


@pytest.fixture
def primary(arrived: list[Arrival]) -> Iterator[Primary]:
    with closing(Primary(lambda *message: arrived.append(Arrival.of(*message)))) as primary:
        yield primary


def give(port: int, letter: Letter) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=10) as client:
        refused = client.sendmail(letter.sender, letter.recipients, FIELD + letter.content, ["BODY=8BITMIME"])
        assert refused == {}


def test_every_kind_of_letter_is_kept_as_it_came(primary: Primary, arrived: list[Arrival]) -> None:
    """Long lines, leading dots and eight bits included."""
    primary.come()
    sent = list(islice(letters(7), len(KINDS)))
    for letter in sent:
        give(primary.port, letter)
    assert arrived == [Arrival(letter.sender, letter.recipients, FIELD, letter.digest) for letter in sent]


def test_connections_are_refused_while_it_is_away_and_the_port_stays_its_own(primary: Primary, arrived: list[Arrival]) -> None:
    """What is open is cut; afterwards it is where it was."""
    port = primary.port
    letter = next(letters(7))
    with pytest.raises(ConnectionRefusedError):
        give(port, letter)
    primary.come()
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        primary.go()
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            client.noop()
        with suppress(smtplib.SMTPServerDisconnected):
            client.close()
    with pytest.raises(ConnectionRefusedError):
        give(port, letter)
    primary.come()
    assert primary.port == port
    give(port, letter)
    assert len(arrived) == 1


def test_letters_are_proper_and_no_two_alike() -> None:
    """CRLF alone ends a line, and none begins with what could be taken for a folded line."""
    made = list(islice(letters(7), 60))
    assert len({letter.digest for letter in made}) == len(made)
    assert {letter.kind for letter in made} == set(KINDS)
    for letter in made:
        assert letter.content.endswith(b"\r\n")
        assert b"\r" not in letter.content.replace(b"\r\n", b"")
        assert b"\n" not in letter.content.replace(b"\r\n", b"")
        assert not letter.content.startswith((b" ", b"\t"))
