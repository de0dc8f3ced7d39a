"""Where strangers reach us: the sockets that a configuration asks for.

Knows: addresses of this machine, and sockets that somebody opened for us.
Does not know: who comes, and what is said.
"""

import errno
import socket
from collections.abc import Callable, Mapping

from backupmx.config import Endpoint, Settings
from backupmx.core.notation import Passed
from backupmx.errors import BackupMXError
from backupmx.inherited import Inherited

BACKLOG = 1024
PASSED = Endpoint("systemd", 0)

Way = tuple[Endpoint, int]
"""An address of ours; or where nothing was bound, the number of a socket that was passed to us."""
Sockets = Mapping[Way, socket.socket]


def opened(settings: Settings, open_now: Sockets, inherited: Inherited) -> dict[Way, socket.socket]:
    """Listeners for the settings; those open already are kept. Raises BackupMXError for what cannot be had."""
    sockets, problems = _opened(settings, open_now, inherited, _bound)
    _close(sockets if problems else open_now, open_now if problems else sockets)
    if problems:
        raise BackupMXError("; ".join(problems))
    return sockets


def hindered(settings: Settings, open_now: Sockets, inherited: Inherited) -> list[str]:
    """What cannot be had once those that are open now are closed. Nothing is changed."""
    ours = {endpoint.port for endpoint, _ in open_now}

    def tried(where: Endpoint) -> socket.socket:
        try:
            return _bound(where)
        except OSError as error:
            # all addresses of a port that we listen on, or one of them: nobody else has it
            if error.errno != errno.EADDRINUSE or where.port not in ours:
                raise
            return socket.socket()

    sockets, problems = _opened(settings, open_now, inherited, tried)
    _close(sockets, open_now)
    return problems


def absent(settings: Settings) -> list[str]:
    """Addresses in the file that this machine does not have, whoever might listen there."""
    problems = []
    for where in settings.smtp.listen if "listen" in settings.smtp.model_fields_set else ():
        try:
            if isinstance(where, Endpoint):
                _bound(Endpoint(where.host, 0)).close()
        except OSError as error:
            problems.append(f"smtp.listen: {where}: {error.strerror}")
    return problems


def _opened(
    settings: Settings, open_now: Sockets, inherited: Inherited, bound: Callable[[Endpoint], socket.socket]
) -> tuple[dict[Way, socket.socket], list[str]]:
    """What can be had, and what is wrong with the rest."""
    sockets: dict[Way, socket.socket] = {}
    problems = []
    # who opened sockets for us has chosen, unless the file says otherwise
    chosen = "listen" in settings.smtp.model_fields_set or not inherited.named("")
    for where in settings.smtp.listen if chosen else (Passed(""),):
        if isinstance(where, Passed):
            passed = inherited.named(where.name)
            sockets |= {(PASSED, each.fileno()): each for each in passed}
            if not passed:
                problems.append(f"smtp.listen: {where}: no such socket was passed to us (LISTEN_FDS)")
            continue
        if there := inherited.bound_to(where):
            sockets[PASSED, there.fileno()] = there
            continue
        try:
            sockets[where, 0] = open_now.get((where, 0)) or bound(where)
        except PermissionError:
            problems.append(f"smtp.listen: {where}: only root may listen there, or systemd for us (backupmx.socket)")
        except OSError as error:
            problems.append(f"smtp.listen: {where}: {error.strerror}")
    return sockets, problems


def _close(sockets: Sockets, but: Sockets) -> None:
    for way in sockets.keys() - but.keys():
        # those that were passed stay open: they cannot be opened again
        if way[0] != PASSED:
            sockets[way].close()


def _bound(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # the IPv4 door is a listener of its own
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((endpoint.host, endpoint.port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
