"""A configuration file as people write it, and an admin who changes it by commands while no server runs."""

from pathlib import Path

from click.testing import CliRunner, Result

from backupmx.cli.main import root

FILE = """\
# Backup MX of Example Ltd
hostname = "mx2.example.net"   # our name
spool = "SPOOL"

[control]
socket = "SPOOL/c.sock"

# our own
[domain."one.example"]  # the first
primary = ["mail.one.example:25"]   # in the cellar

# half a month
holding_window = "15d"

[delivery]
retry_min = "7m"  # they asked for it

# the branch,
# since 2024
[domain."two.example"]
[domain."two.example".ldap]
url = "ldaps://ad.two.example"
base = "dc=two"

# --- the page ---

[web]
# nobody else
listen = "127.0.0.1:8025"
"""


class Admin:
    """Whoever types commands while no server runs."""

    def __init__(self, place: Path, text: str = FILE) -> None:
        self.path = place / "b.toml"
        self.before = text.replace("SPOOL", str(place))
        self.path.write_text(self.before)

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(root, ["domain", *arguments, "--config", str(self.path)])

    @property
    def now(self) -> str:
        return self.path.read_text()

    def wrote(self, *changes: tuple[str, str]) -> bool:
        """Whether the file is what it was but for these changes."""
        wanted = self.before
        for old, new in changes:
            assert wanted.count(old) == 1
            wanted = wanted.replace(old, new)
        assert self.now == wanted
        return True
