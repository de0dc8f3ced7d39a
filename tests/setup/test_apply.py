"""`backupmx setup apply`: answers that were written down before; all of them, or nothing and what is wrong."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backupmx import config
from backupmx.cli.main import root
from backupmx.control.accounts import Accounts, Role
from backupmx.control.passwords import hasher
from tests.setup.machine import PASSWORD, Machine

FILE = f"""\
# Our backup
hostname = "mx2.example.net"   # as it is in DNS
spool = "PLACE/spool"

[setup]
# only until it is done
user = "petra"
password = "{PASSWORD}"

[domain."example.com"]  # the office
primary = ["mail.example.com"]
"""


@pytest.fixture
def text(tmp_path: Path) -> str:
    return FILE.replace("PLACE", str(tmp_path))


@pytest.fixture(autouse=True)
def no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new machine has no full name."""
    monkeypatch.setattr("socket.getfqdn", lambda: "backupmx")


def apply(machine: Machine, content: bytes | str, file: str = "-") -> Result:
    octets = content if isinstance(content, bytes) else content.encode()
    arguments = ["setup", "apply", file, "--config", str(machine.places.configuration)]
    return CliRunner().invoke(root, arguments, input=octets)


def problems(done: Result) -> list[str]:
    return [line.removeprefix("backupmx: ") for line in done.stderr.splitlines()]


def test_the_machine_is_what_the_file_says(machine: Machine, text: str) -> None:
    """The file, with its comments and without the password, is the configuration; the admin can sign in."""
    done = apply(machine, text)
    assert (done.exit_code, done.stdout) == (0, "")
    written = machine.places.configuration.read_text()
    before, after = text.index("[setup]"), text.index("[domain")
    assert written == text[:before] + text[after:]
    assert machine.settings.hostname == "mx2.example.net"
    (admin,) = machine.accounts.users()
    assert (admin.name, admin.role) == ("petra", Role.ADMIN)
    assert hasher().verify(admin.password_hash, PASSWORD)


@pytest.mark.parametrize("table", ['[setup]\nuser = "a"\npassword = "12345678"', 'setup = {user = "a", password = "12345678"}'])
@pytest.mark.parametrize("first", [True, False])
def test_the_table_may_stand_anywhere(machine: Machine, tmp_path: Path, table: str, first: bool) -> None:
    """As TOML lets it."""
    rest = f'spool = "{tmp_path}/spool"\nhostname = "mx2.example.net"\ndomain."example.com" = {{}}\n'
    inline = table.startswith("setup")
    done = apply(machine, f"{table}\n{rest}" if inline and first else f"{rest}\n{table}\n")
    assert done.exit_code == 0, done.stderr
    assert list(machine.settings.domains) == ["example.com"]
    assert "12345678" not in machine.places.configuration.read_text()


def test_editors_of_other_systems_are_understood(machine: Machine, text: str) -> None:
    """A mark of byte order, and lines that end in two characters."""
    assert apply(machine, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()).exit_code == 0
    assert b"\r" not in machine.places.configuration.read_bytes()
    assert machine.settings.hostname == "mx2.example.net"


def test_all_mistakes_are_told_at_once(machine: Machine, tmp_path: Path) -> None:
    """One a line, with what is allowed; and nothing is half done."""
    done = apply(machine, 'spol = "/x"\n[setup]\npassword = "short"\nname = "x"\n[domain."a b"]\nholding_window = 5\n')
    assert done.exit_code == 78
    told = problems(done)
    assert all(line.startswith("backupmx.toml: ") for line in told)
    wanted = ("spol", 'domain."a b"', "holding_window", "setup.name", "setup.user", "setup.password", "hostname")
    for key in wanted:
        assert [line for line in told if key in line.partition(": ")[2].partition(": ")[0]], (key, told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "at least one is needed"),
        ("\nx\n", "backupmx.toml: line 2, column 2: "),
        (b"\xff\xfeh\x00", "must be UTF-8"),
        (b"\x00", "backupmx.toml: "),
        ("setup = 5", "the admin of the page is missing"),
        ('setup.user = "x"\n[setup.more]\n', "setup.more"),
    ],
)
def test_what_is_no_such_file_is_told(machine: Machine, tmp_path: Path, content: bytes | str, told: str) -> None:
    """In a clear line."""
    done = apply(machine, content)
    assert done.exit_code == 78
    assert told in done.stderr
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_is_set_up_stays_as_it_is(machine: Machine, text: str, tmp_path: Path) -> None:
    """Exit 1, whatever the file says."""
    assert apply(machine, text).exit_code == 0
    before = machine.places.configuration.read_bytes()
    for again in (text.replace("petra", "mallory"), "rubbish ["):
        (tmp_path / "answers").write_text(again)
        done = apply(machine, "", str(tmp_path / "answers"))
        assert done.exit_code == 1
        assert "is set up" in done.stderr
    assert machine.places.configuration.read_bytes() == before
    assert [user.name for user in Accounts(tmp_path / "spool" / "accounts.json").users()] == ["petra"]


def test_whoever_waits_at_the_page_makes_room(machine: Machine, text: str) -> None:
    """The process that waits for an owner sees it, and its code is gone."""
    machine.start()
    assert apply(machine, text).exit_code == 0
    assert machine.ended()[0] == 0
    assert not machine.kept.exists()
    config.load(machine.places.configuration)
