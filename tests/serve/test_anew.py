"""Everything begins anew in the same process: for what no process that runs may see change."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from backupmx.control.answers import Text
from backupmx.control.client import ControlClient
from backupmx.control.requests import GetMetrics
from tests.serve.instance import eventually
from tests.serve.test_systemd import configuration, heard, sent, serving


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_it_is_as_if_it_was_started_once_more(tmp_path: Path) -> None:
    """Another configuration counts, whatever is in it; sockets that were passed stay, and no file is left open."""
    path = configuration(tmp_path, '["systemd"]')
    passed = socket.create_server(("127.0.0.1", 0))
    port = passed.getsockname()[1]

    def metrics() -> str:
        answer = ControlClient(tmp_path / "other.sock", 20).ask(GetMetrics())
        assert isinstance(answer, Text)
        return answer.text

    with passed, serving(path, [passed], "smtp") as process:
        heard(process, "backupmx: ready\n")
        files = len(os.listdir(f"/proc/{process.pid}/fd"))  # noqa: PTH208 - numbers alone
        path.write_text(path.read_text().replace("control.sock", "other.sock"))
        process.send_signal(signal.SIGUSR1)
        heard(process, "backupmx: ready\n")
        eventually(lambda: sent("127.0.0.1", port), "mail comes in")
        counted = re.compile(r"^backupmx_smtp_messages_total\{[^}]*accepted[^}]*\} 1\.0$", re.MULTILINE)
        eventually(lambda: bool(counted.search(metrics())), "it is counted")
        assert len(os.listdir(f"/proc/{process.pid}/fd")) <= files  # noqa: PTH208
        assert not (tmp_path / "control.sock").exists()
    assert process.returncode == 0
