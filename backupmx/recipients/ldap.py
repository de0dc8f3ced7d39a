"""All addresses of a domain that a directory knows (OpenLDAP, Active Directory).

Knows: how to connect, bind and search, and that half an answer is none.
Does not know: how long to believe an answer, or what to do without one.

ldap3 is an extra (`backupmx[ldap]`), imported when it is first needed. It blocks, so it works in a thread.
"""

import asyncio
import math
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from typing import Any

from backupmx.core import notation
from backupmx.core.notation import Endpoint
from backupmx.core.roster import Roster, gathered

PAGE = 500
"""Entries in one answer; Active Directory gives at most 1000."""

_PAGED_RESULTS = "1.2.840.113556.1.4.319"
_PORTS = {"ldap": 389, "ldaps": 636}


@dataclass(frozen=True, slots=True)
class Directory:
    """Where addresses are asked for. Raises ValueError for a URL that cannot be used."""

    url: str
    base: str
    filter: str = "(|(mail=*)(proxyAddresses=*))"
    attributes: tuple[str, ...] = ("mail", "proxyAddresses")
    bind_dn: str = ""
    """Empty: anonymously."""
    password: str = field(default="", repr=False)
    start_tls: bool | None = None
    """None: unless the host is this machine."""
    ca_file: Path | None = None
    """Who may have signed the server's certificate; None: whom this machine trusts."""
    timeout: float = 10.0
    """Seconds for each step: to connect, and to wait for more of an answer."""

    def __post_init__(self) -> None:
        self.endpoint  # noqa: B018 - it raises

    @property
    def endpoint(self) -> Endpoint:
        """Host and port."""
        scheme, _, place = self.url.partition("://")
        try:
            return notation.endpoint(place.removesuffix("/"), _PORTS[scheme.lower()])
        except (KeyError, ValueError):
            raise ValueError('must be a URL like "ldaps://directory.example.com" or "ldap://192.0.2.1:389"') from None

    @property
    def tls_at_once(self) -> bool:
        """Whether the connection begins with TLS."""
        return self.url.lower().startswith("ldaps:")

    @property
    def tls_by_command(self) -> bool:
        """Whether StartTLS comes before anything else; without it nothing is asked."""
        if self.tls_at_once:
            return False
        return not _is_this_machine(self.endpoint.host) if self.start_tls is None else self.start_tls


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The directory did not tell all that it knows."""

    why: str


async def fetch(directory: Directory, domain: str) -> Roster | Unavailable:
    """All addresses of one domain. A roster is complete, and has somebody in it."""
    given_up = Event()
    try:
        return await asyncio.to_thread(_fetch, directory, domain, given_up)
    finally:
        given_up.set()  # a thread cannot be cancelled: it ends with the page that it is at


def _fetch(directory: Directory, domain: str, given_up: Event) -> Roster | Unavailable:
    try:
        import ldap3  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        return Unavailable("ldap3 is not installed: pip install backupmx[ldap]")
    connection = _connection(ldap3, directory)
    try:
        roster = gathered(_values(connection, directory, given_up), domain)
    except _Refused as refusal:
        return Unavailable(_said(str(refusal)))
    except Exception as error:  # noqa: BLE001 - ldap3 lets through whatever a broken answer leads to
        return Unavailable(_said(connection.last_error or str(error) or type(error).__name__))
    finally:
        _close(connection)
    if not roster.entries:
        # a user who may not read the entries is told that there are none
        return Unavailable(f"no address of {domain} is found: the base, the filter, or what this user may read")
    return roster


class _Refused(Exception):
    """The directory answered, but not with what was asked for."""


def _connection(ldap3: Any, directory: Directory) -> Any:
    host, port = directory.endpoint
    server = ldap3.Server(
        host,
        port,
        use_ssl=directory.tls_at_once,
        tls=_tls(ldap3, directory.ca_file),
        get_info=ldap3.NONE,
        connect_timeout=directory.timeout,
    )
    return ldap3.Connection(
        server,
        user=directory.bind_dn or None,
        password=directory.password or None,
        authentication=ldap3.SIMPLE if directory.bind_dn else ldap3.ANONYMOUS,
        receive_timeout=math.ceil(directory.timeout),  # ldap3 takes whole seconds alone
        auto_referrals=False,  # nobody else is given the password
        check_names=False,
        read_only=True,
    )


def _tls(ldap3: Any, ca_file: Path | None) -> Any:
    # ldap3 compares names with a routine that Python gave up, and in later Pythons with one that knows no IP addresses
    class VerifiedTls(ldap3.Tls):  # type: ignore[misc]
        def wrap_socket(self, connection: Any, **_: Any) -> None:
            context = ssl.create_default_context(cafile=ca_file)
            connection.socket = context.wrap_socket(connection.socket, server_hostname=connection.server.host)

    return VerifiedTls(validate=ssl.CERT_REQUIRED)


def _values(connection: Any, directory: Directory, given_up: Event) -> Iterator[str]:
    """All values of the attributes, page by page."""
    connection.open(read_server_info=False)
    if directory.tls_by_command:
        connection.start_tls(read_server_info=False)
    if not connection.bind(read_server_info=False):
        raise _Refused(f"bind: {_result(connection)}")
    cookie = None
    while not given_up.is_set():
        connection.search(
            directory.base, directory.filter, attributes=list(directory.attributes), paged_size=PAGE, paged_cookie=cookie
        )
        # also when a limit was reached after many entries: who is missing would be refused
        if connection.result["result"] != 0:
            raise _Refused(f"search: {_result(connection)}")
        for entry in connection.response:
            if entry["type"] == "searchResEntry":
                for values in entry["raw_attributes"].values():
                    yield from (value.decode("utf-8", "surrogateescape") for value in values)
        control = connection.result.get("controls", {}).get(_PAGED_RESULTS)
        cookie = control["value"]["cookie"] if control else None
        if not cookie:
            return
    raise _Refused("was given up")


def _result(connection: Any) -> str:
    result = connection.result
    return f"{result['description']} {result.get('message') or ''}".strip()


def _close(connection: Any) -> None:
    with suppress(Exception):
        connection.unbind()
    if connection.socket:  # ldap3 leaves it open when it could not connect
        connection.socket.close()


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _said(text: str) -> str:
    """Others' words, short and free of control characters (I7)."""
    said = text.encode("unicode_escape").decode("ascii")
    return said if len(said) <= 200 else said[:197] + "..."
