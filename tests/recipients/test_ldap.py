"""Who exists, asked of a directory: a real slapd, and servers that are not well."""

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from backupmx.core.roster import Roster
from backupmx.recipients.ldap import PAGE, Directory, Unavailable, fetch
from tests.recipients.slapd import CLOSED, LIMITED, OPEN, PASSWORD, PEOPLE, READER, Slapd, slapd
from tests.serve.instance import free_port

ALL = {("example.com", f"user{number}") for number in range(PEOPLE)} | {("example.com", f"alias{number}") for number in range(5)}


@pytest.fixture(scope="module")
def server() -> Iterator[Slapd]:
    with slapd() as running:
        yield running


async def refused(directory: Directory) -> str:
    """Why nothing is known."""
    found = await fetch(directory, "example.com")
    assert isinstance(found, Unavailable), found
    assert found.why.isprintable()
    assert len(found.why) <= 200
    return found.why


@pytest.mark.peer
async def test_all_addresses_of_the_domain_are_fetched(server: Slapd) -> None:
    """Anonymously, page by page; other protocols and domains do not count."""
    assert PEOPLE > PAGE
    assert await fetch(Directory(server.url, OPEN), "example.com") == Roster(frozenset(ALL))
    other = await fetch(Directory(server.url + "/", OPEN), "other.test")
    assert isinstance(other, Roster)
    assert len(other.entries) == PEOPLE


@pytest.mark.peer
async def test_filter_and_attributes_are_the_admin_s(server: Slapd) -> None:
    """As in another scheme."""
    directory = Directory(server.url, OPEN, filter="(uid=u1*)", attributes=("proxyAddresses",))
    assert await fetch(directory, "example.com") == Roster(frozenset({("example.com", "user1"), ("example.com", "alias1")}))


@pytest.mark.peer
async def test_a_user_sees_what_strangers_do_not(server: Slapd) -> None:
    """And a directory that shows nobody is no directory of nobody (I9)."""
    directory = Directory(server.url, CLOSED, bind_dn=READER, password=PASSWORD)
    assert await fetch(directory, "example.com") == Roster(frozenset(ALL))
    assert "search: " in await refused(replace(directory, bind_dn="", password=""))
    assert "no address of example.com" in await refused(Directory(server.url, OPEN, filter="(uid=printer)"))


@pytest.mark.peer
async def test_a_wrong_password_is_told(server: Slapd) -> None:
    """As well as a wrong user, or none where there should be one; the password is not repeated."""
    directory = Directory(server.url, CLOSED, bind_dn=READER, password="wrong-word")
    why = await refused(directory)
    assert why.startswith("bind: invalidCredentials")
    assert "wrong-word" not in why + repr(directory)
    assert "invalidCredentials" in await refused(replace(directory, bind_dn=f"cn=nobody,{CLOSED}"))
    assert "password" in await refused(replace(directory, password=""))


@pytest.mark.peer
async def test_a_part_of_the_list_is_no_list(server: Slapd) -> None:
    """I9: the second page ends at the server's limit; who is on no page would be refused."""
    assert "sizeLimitExceeded" in await refused(Directory(server.url, LIMITED))


@pytest.mark.peer
async def test_a_wrong_question_is_told(server: Slapd) -> None:
    """A base that is not there, a filter that is none."""
    assert "noSuchObject" in await refused(Directory(server.url, "ou=gone," + OPEN))
    assert await refused(Directory(server.url, OPEN, filter="(mail=*"))


@pytest.mark.peer
async def test_with_tls_the_certificate_must_be_right(server: Slapd) -> None:
    """At once or by StartTLS: its issuer and its name."""
    at_once = Directory(f"ldaps://127.0.0.1:{server.tls_port}", OPEN, ca_file=server.ca_file)
    by_command = Directory(server.url, OPEN, start_tls=True, ca_file=server.ca_file)
    for directory in (at_once, by_command):
        assert await fetch(directory, "example.com") == Roster(frozenset(ALL))
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(replace(directory, ca_file=server.stranger))
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(replace(directory, ca_file=None))
        by_name = replace(directory, url=directory.url.replace("127.0.0.1", "localhost"))
        assert "localhost" in await refused(by_name)
        assert await refused(replace(directory, ca_file=server.ca_file / "nothing"))


@contextmanager
def listening(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server of one connection that is none of LDAP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ldap://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)
        assert not thread.is_alive()


async def test_a_server_that_is_down_is_told() -> None:
    """Within the time it takes to find out."""
    assert "refused" in await refused(Directory(f"ldap://127.0.0.1:{free_port()}", OPEN))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("start_tls", [False, True])
async def test_a_server_that_never_answers_is_given_up(start_tls: bool) -> None:
    """After the time that was given; until then everything else goes on."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    # reads until we hang up
    with listening(lambda connection: [None for _ in iter(lambda: connection.recv(4096), b"")]) as url:
        turning = asyncio.create_task(turn())
        why = await refused(Directory(url, OPEN, start_tls=start_tls, timeout=0.5))
        turning.cancel()
    assert "timed out" in why
    assert turns > 10


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "said",
    [b"", b"220 mail.test ESMTP\r\n", b"0", b"\x30\x82\xff", b"\x30\x05\x02\x01\x01\x65\x00", bytes(range(256))],
    ids=repr,
)
async def test_a_server_of_something_else_is_told(said: bytes) -> None:
    """Whatever it says, and when it hangs up."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(4096)

    with listening(talk) as url:
        assert await refused(Directory(url, OPEN, timeout=1))


async def test_without_ldap3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not installed with everything else."""
    monkeypatch.setitem(sys.modules, "ldap3", None)
    assert "pip install backupmx[ldap]" in await refused(Directory("ldap://127.0.0.1", OPEN))


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1", "http://127.0.0.1", "ldap://", "ldap://a b", "ldap://a:0x1", "ldap://a/b", "ldapi:///x"], ids=repr
)
def test_a_url_that_cannot_be_used_is_an_error(url: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match="must be a URL"):
        Directory(url, OPEN)


@pytest.mark.parametrize(
    ("url", "start_tls", "port", "at_once", "by_command"),
    [
        ("ldap://directory.test", None, 389, False, True),
        ("LDAP://Directory.test:3389", None, 3389, False, True),
        ("ldap://directory.test", False, 389, False, False),
        ("ldap://127.0.0.2", None, 389, False, False),
        ("ldap://[::1]", None, 389, False, False),
        ("ldap://localhost/", None, 389, False, False),
        ("ldap://localhost", True, 389, False, True),
        ("ldaps://directory.test", True, 636, True, False),
        ("LDAPS://[::1]:1636/", None, 1636, True, False),
    ],
)
def test_nothing_goes_in_the_clear_to_another_machine_unless_it_is_asked_for(
    url: str, start_tls: bool | None, port: int, at_once: bool, by_command: bool
) -> None:
    """The password would go with it."""
    directory = Directory(url, OPEN, start_tls=start_tls)
    assert (directory.endpoint.port, directory.tls_at_once, directory.tls_by_command) == (port, at_once, by_command)
