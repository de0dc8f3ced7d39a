"""A real Postfix as the primary of example.com: an instance of its own on a loopback port, which keeps mail in a Maildir."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy, copytree

from tests.serve.instance import eventually

ORIGINAL = Path("/etc/postfix")
MASTER = Path("/usr/share/postfix/master.cf.dist")
NOBODY = 65534
MAIN = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file = {place}/log/maillog
maillog_file_prefixes = {place}/log
myhostname = primary.test
mydestination =
alias_maps =
mynetworks = 127.0.0.2/32
local_header_rewrite_clients =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
disable_dns_lookups = yes
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = example.com
virtual_mailbox_maps = inline:{{user@example.com=user/}}
virtual_mailbox_base = {place}/mail
virtual_mailbox_limit = 0
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{user}
message_size_limit = 104857600
"""
SMTPD = "127.0.0.1:{port} inet n - n - - smtpd\n"
POSTSCREEN = """\
127.0.0.1:{port} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
"""
"""The other way in: who passes is handed on."""


class Postfix:
    """Starts and stops at will; `user@example.com` is the one mailbox that it has."""

    def __init__(self, place: Path, port: int, settings: str, entrance: str) -> None:
        self._place = place
        etc = place / "etc"
        for name in ("etc", "data", "queue", "mail", "log"):
            (place / name).mkdir()
        subprocess.run(["chown", "postfix", str(place / "data")], check=True)
        subprocess.run(["chown", str(NOBODY), str(place / "mail")], check=True)
        # which of these there are differs between Debian's releases
        for path in [ORIGINAL / "dynamicmaps.cf", ORIGINAL / "dynamicmaps.cf.d", *ORIGINAL.glob("post*")]:
            if path.is_dir():
                copytree(path, etc / path.name)
            elif path.exists():
                copy(path, etc)
        master = re.sub(r"(?m)^smtp +inet .*smtpd\n", entrance.format(port=port), MASTER.read_text())
        # without chroots: there is nothing in ours
        master = re.sub(r"(?m)^(\S+ +(?:unix|unix-dgram) +[-ny] +[-ny] +)y", r"\1n", master)
        if "\npostlog" not in master:
            master += "postlog unix-dgram n - n - 1 postlogd\n"
        (etc / "master.cf").write_text(master)
        (etc / "main.cf").write_text(MAIN.format(place=place, user=NOBODY) + settings)

    def start(self) -> None:
        done = self._postfix("start")
        assert done.returncode == 0, self.log()

    def stop(self) -> None:
        self._postfix("stop")
        eventually(lambda: self._postfix("status").returncode != 0, "Postfix has stopped")

    def mail(self) -> list[bytes]:
        """What was delivered, with the fields that Postfix put in front; line ends are LF."""
        return [path.read_bytes() for path in sorted((self._place / "mail").glob("user/new/*"))]

    def _postfix(self, verb: str) -> "subprocess.CompletedProcess[bytes]":
        # no pipes: the daemons would keep them open
        return subprocess.run(
            ["postfix", "-c", str(self._place / "etc"), verb],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )

    def log(self) -> str:
        log = self._place / "log/maillog"
        return log.read_text() if log.exists() else "Postfix wrote no log"


@contextmanager
def postfix(port: int, settings: str = "", entrance: str = SMTPD) -> Iterator[Postfix]:
    """Not started yet; surely stopped afterwards."""
    # Postfix's users may not enter pytest's own directories
    with tempfile.TemporaryDirectory(prefix="backupmx-peer-") as name:
        place = Path(name)
        place.chmod(0o755)
        primary = Postfix(place, port, settings, entrance)
        try:
            yield primary
        finally:
            primary.stop()
