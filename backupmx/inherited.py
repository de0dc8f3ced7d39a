"""Sockets that whoever started us has opened already: sd_listen_fds(3).

Knows: the environment that passes them.
Does not know: what they are for.
"""

import os
import socket
from collections.abc import MutableMapping
from ipaddress import ip_address

from backupmx.core.notation import Endpoint

FIRST = 3
"""The first file descriptor that is passed."""


class Inherited:
    """The listening stream sockets that were passed, each with its name."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Takes them out of the environment: they are meant for this process, not for its children."""
        passed = {key: environment.pop(f"LISTEN_{key}", "") for key in ("PID", "FDS", "FDNAMES")}
        count = int(passed["FDS"]) if passed["PID"] == str(os.getpid()) and passed["FDS"].isdecimal() else 0
        names = passed["FDNAMES"].split(":")
        self._sockets = [(names[number] if number < len(names) else "", _listener(FIRST + number)) for number in range(count)]

    def named(self, name: str) -> list[socket.socket]:
        """Those of a name; of any, for the empty one."""
        return [each for called, each in self._sockets if each and name in ("", called)]

    def bound_to(self, where: Endpoint) -> socket.socket | None:
        """The one that listens at exactly this address, if there is one."""
        for _, each in self._sockets:
            if each and each.family in (socket.AF_INET, socket.AF_INET6):
                host, port = each.getsockname()[:2]
                if port == where.port and ip_address(host.partition("%")[0]) == ip_address(where.host):
                    return each
        return None

    def close(self) -> None:
        """Give them back."""
        for _, each in self._sockets:
            if each:
                each.close()


def _listener(fd: int) -> socket.socket | None:
    try:
        os.set_inheritable(fd, False)
        found = socket.socket(fileno=fd)
    except OSError:
        return None
    if found.type != socket.SOCK_STREAM or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.detach()
        return None
    found.setblocking(False)
    return found
