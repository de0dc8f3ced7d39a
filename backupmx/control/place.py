"""Where the control socket stands in the file system.

Knows: stale sockets and live ones, directories, modes.
Does not know: what is said on the socket.
"""

import socket
import stat
from pathlib import Path

from backupmx.errors import ControlTaken

MODE = 0o660
BACKLOG = 64


def open_socket(path: Path) -> socket.socket:
    """Listen at `path`, readable and writable for owner and group; what a dead instance left is replaced. Raises ControlTaken."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        listener.bind(str(path))
        # nobody can connect before `listen`
        path.chmod(MODE)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ControlTaken(f"{path}: {error.strerror or error}") from error
    except ControlTaken:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ControlTaken(f"{path}: is there already, and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
        else:
            raise ControlTaken(f"{path}: another instance answers there")
