"""Whether addresses could be listened on, tried beside a server that listens."""

import socket
from pathlib import Path

from backupmx import config
from backupmx.config import Endpoint, Settings
from backupmx.inherited import Inherited
from backupmx.listeners import absent, hindered
from tests.serve.instance import free_port

NOBODY = Inherited({})


def settings(*listen: str) -> Settings:
    text = f'[smtp]\nlisten = {list(listen)}\n[domain."example.com"]\n'.replace("'", '"')
    return config.read(text.encode(), Path("b.toml"))


def test_what_somebody_else_has_is_told_and_nothing_is_kept() -> None:
    """Each address for itself; what is free is free afterwards."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        theirs = other.getsockname()[1]
        wanted = settings(f"127.0.0.1:{theirs}", f"127.0.0.1:{port}", "192.0.2.7:2525", "systemd:mail")
        assert hindered(wanted, {}, NOBODY) == [
            f"smtp.listen: 127.0.0.1:{theirs}: Address already in use",
            "smtp.listen: 192.0.2.7:2525: Cannot assign requested address",
            "smtp.listen: systemd:mail: no such socket was passed to us (LISTEN_FDS)",
        ]
        assert absent(wanted) == ["smtp.listen: 192.0.2.7:2525: Cannot assign requested address"]
    socket.create_server(("127.0.0.1", port)).close()


def test_what_we_have_is_no_hindrance_and_stays() -> None:
    """The same address, or all of those of its port."""
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        open_now = {(Endpoint("127.0.0.1", port), 0): ours}
        assert hindered(settings(f"127.0.0.1:{port}"), open_now, NOBODY) == []
        assert hindered(settings(f"0.0.0.0:{port}"), open_now, NOBODY) == []
        assert hindered(settings(f"192.0.2.7:{port}"), open_now, NOBODY) != []
        socket.create_connection(("127.0.0.1", port), 5).close()
