"""`backupmx domain add|set|remove`: what is typed, and the file afterwards, octet by octet."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backupmx import config
from backupmx.core import notation
from cli.admin import Admin


def test_a_value_changes_and_nothing_around_it(admin: Admin) -> None:
    """Comments, order and blank lines stay; it is told when the change will hold."""
    done = admin("set", "one.example", "primary=new.example.net:25,10.0.0.5", "holding_window=21d")
    assert done.exit_code == 0
    assert "it holds from the next start on" in done.stderr
    assert admin.wrote(
        ('primary = ["mail.one.example:25"] ', 'primary = ["new.example.net:25", "10.0.0.5"] '),
        ('holding_window = "15d"', 'holding_window = "21d"'),
    )
    assert config.load(admin.path).domains["one.example"].holding_window == timedelta(days=21)


def test_new_keys_come_behind_the_last_of_their_table(admin: Admin) -> None:
    """Not behind what is written above the next table; a table that is missing is made."""
    done = admin("set", "one.example", "tls=required", "allow_private=yes", "ldap.url=ldap://x", "ldap.attributes=mail,uid")
    assert done.exit_code == 0, done.stderr
    added = (
        'tls = "required"\nallow_private = true\n\n[domain."one.example".ldap]\nurl = "ldap://x"\nattributes = ["mail", "uid"]\n'
    )
    assert admin.wrote(('holding_window = "15d"\n', 'holding_window = "15d"\n' + added))
    admin.before = admin.now
    assert admin("set", "two.example", "max_messages_per_minute=60", "ldap.refresh=2h").exit_code == 0
    assert admin.wrote(
        ('[domain."two.example"]\n', '[domain."two.example"]\nmax_messages_per_minute = 60\n\n'),
        ('base = "dc=two"\n', 'base = "dc=two"\nrefresh = "2h"\n'),
    )


def test_a_key_is_taken_away_so_that_its_default_holds(admin: Admin) -> None:
    """By `KEY=` or `--unset KEY`; a table with its last key, or whole."""
    assert admin("set", "one.example", "primary=", "--unset", "holding_window").exit_code == 0
    assert admin.wrote(('primary = ["mail.one.example:25"]   # in the cellar\n', ""), ('holding_window = "15d"\n', ""))
    assert config.load(admin.path).domains["one.example"].primary == ()
    admin.path.write_text(admin.before)
    ldap = '[domain."two.example".ldap]\nurl = "ldaps://ad.two.example"\nbase = "dc=two"\n'
    assert admin("set", "two.example", "ldap.url=", "ldap.base=").exit_code == 0
    assert admin.wrote((ldap, ""))
    admin.path.write_text(admin.before)
    assert admin("set", "two.example", "--unset", "ldap").exit_code == 0
    assert admin.wrote((ldap, ""))


def test_an_empty_value_is_another_thing_than_none(admin: Admin) -> None:
    """In quotes, as in the file."""
    assert admin("set", "one.example", 'recipient_delimiter=""').exit_code == 0
    assert config.load(admin.path).domains["one.example"].recipient_delimiter == ""
    assert admin("set", "one.example", "recipient_delimiter=").exit_code == 0
    assert config.load(admin.path).domains["one.example"].recipient_delimiter == "+"
    assert admin("set", "one.example", 'recipient_delimiter="-"\ntls = "required"').exit_code == 78
    assert admin("add", "three.example", "--primary", "").exit_code == 78


def test_a_domain_is_added_behind_the_others(admin: Admin) -> None:
    """And what is written above the next section stays there."""
    done = admin("add", "three.example", "--primary", "a.three.example", "--primary", "lmtp://10.0.0.5:24", "holding_window=3d")
    assert done.exit_code == 0
    table = '\n[domain."three.example"]\nprimary = ["a.three.example", "lmtp://10.0.0.5:24"]\nholding_window = "3d"\n'
    assert admin.wrote(('base = "dc=two"\n', 'base = "dc=two"\n' + table))
    again = admin("add", "Three.Example.")
    assert again.exit_code == 1
    assert "is there already" in again.stderr


def test_a_file_that_lacks_a_domain_is_mended_by_adding_one(tmp_path: Path) -> None:
    """The first command of a newcomer: what is wrong before need not stop what makes it right."""
    admin = Admin(tmp_path, '# Backup MX\nspool = "SPOOL"\ncontrol.socket = "SPOOL/c.sock"\n# the end')
    assert admin("add", "one.example").exit_code == 0
    assert admin.now == admin.before + '\n\n[domain."one.example"]\n'
    empty = Admin(tmp_path, "")
    assert empty("add", "one.example", "--dry-run").stdout.splitlines()[-1] == '+[domain."one.example"]'


def test_a_domain_goes_with_its_comments_and_no_others(admin: Admin) -> None:
    """Those that touch its header; and the last domain stays (the configuration's own rule)."""
    assert admin("remove", "two.example", "--yes").exit_code == 0
    two = '# the branch,\n# since 2024\n[domain."two.example"]\n[domain."two.example".ldap]\n'
    two += 'url = "ldaps://ad.two.example"\nbase = "dc=two"\n\n'
    assert admin.wrote((two, ""))
    last = admin("remove", "one.example", "--yes")
    assert last.exit_code == 78
    assert "at least one is needed" in last.stderr
    assert admin.wrote((two, ""))
    assert admin("remove", "two.example", "--yes").exit_code == 1


@pytest.mark.parametrize("spelt", ["münchen.example", "xn--mnchen-3ya.example", "MÜNCHEN.Example"])
@pytest.mark.parametrize("typed", ["münchen.example", "XN--mnchen-3ya.example."])
def test_a_domain_is_found_under_any_spelling(tmp_path: Path, spelt: str, typed: str) -> None:
    """And keeps the one that it has in the file."""
    admin = Admin(tmp_path, f'spool = "SPOOL"\ncontrol.socket = "SPOOL/c.sock"\n[domain."{spelt}"]\n[domain."x.example"]\n')
    assert admin("add", typed).exit_code == 1
    assert admin("set", typed, "holding_window=3d").exit_code == 0
    assert admin.wrote((f'[domain."{spelt}"]\n', f'[domain."{spelt}"]\nholding_window = "3d"\n'))
    assert admin("remove", typed, "--yes").exit_code == 0
    assert list(config.load(admin.path).domains) == ["x.example"]


def test_all_that_is_wrong_is_told_at_once_and_nothing_changes(admin: Admin) -> None:
    """By the very rules of the file: exit 78."""
    done = admin("set", "one.example", "primry=x", "holding_window=5", "allow_private=maybe", "ldap.url=http://x")
    assert done.exit_code == 78
    key = f'backupmx: {admin.path}: domain."one.example".'
    assert sorted(line.partition(" = ")[0] for line in done.stderr.splitlines()) == [
        key + "allow_private", key + "holding_window", key + "ldap.url", key + "primry",
    ]  # fmt: skip
    assert "is primary meant?" in done.stderr
    assert admin.wrote()


def test_what_cannot_be_typed_is_a_usage_error(admin: Admin) -> None:
    """Exit 2, and exit 1 for a domain that is not there."""
    for arguments in (
        ("set", "one.example"),
        ("set", "one.example", "primary"),
        ("set", "one.example", "=x"),
        ("set", "one.example", "a b=x"),
        ("set", "one.example", "primary=a", "--primary", "b"),
        ("set", "one.example", "primary=a", "--unset", "primary"),
        ("set", "one.example", "--unset", "primary=a"),
        ("set", "-", "primary=a"),
        ("add", "not a domain"),
    ):
        assert admin(*arguments).exit_code == 2, arguments
    assert admin("set", "elsewhere.example", "primary=a").exit_code == 1
    assert "primary has no keys" in admin("set", "one.example", "primary.x=a").stderr
    assert admin.wrote()


def test_a_dry_run_shows_what_would_change(admin: Admin) -> None:
    """Line by line, on standard output; nothing changes."""
    done = admin("set", "one.example", "holding_window=21d", "--dry-run")
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if line[0] in "+-" and line[1] != line[0]] == [
        '-holding_window = "15d"', '+holding_window = "21d"',
    ]  # fmt: skip
    assert admin.wrote()


def test_what_the_file_says_already_is_no_change(admin: Admin) -> None:
    """It is not even written anew."""
    inode = admin.path.stat().st_ino
    done = admin("set", "one.example", "holding_window=15d", "primary=mail.one.example:25")
    assert (done.exit_code, done.stderr) == (0, "backupmx: nothing to change: the file says so already\n")
    assert admin.path.stat().st_ino == inode


def keys() -> Iterator[tuple[str, Any]]:
    """Every key of a domain's table that has a default, as it would be typed."""
    spell = {bool: lambda value: str(value).lower(), timedelta: notation.spell_duration, tuple: ",".join}
    for prefix, model in (("", config.Domain), ("ldap.", config.Ldap)):
        for name, field in model.model_fields.items():
            value = field.default
            if isinstance(value, bool | int | str | timedelta | tuple) and value not in ((), ""):
                yield prefix + name, spell.get(type(value), str)(value)


@pytest.mark.parametrize(("key", "typed"), list(keys()))
def test_every_key_can_be_typed(tmp_path: Path, key: str, typed: str) -> None:
    """Its default, for example: then all is as it was, but it stands in the file."""
    admin = Admin(tmp_path)
    before = config.load(admin.path, serving=False)
    done = admin("set", "two.example", f"{key}={typed}")
    assert done.exit_code == 0, done.stderr
    assert config.load(admin.path, serving=False) == before
    table: Any = tomllib.loads(admin.now)["domain"]["two.example"]
    for name in key.split("."):
        table = table[name]
    assert table not in ({}, None)


def test_keys_of_each_shape_are_typed_without_quotes(tmp_path: Path, admin: Admin) -> None:
    """Lists with commas, paths, yes and no; those that only go together in one command."""
    secret = tmp_path / "secret"
    secret.write_text("x")
    pins = ("11" * 32, "22" * 32)
    together = (f"primary_password_file={secret}", "primary_user=backup", "tls=verify", f"tls_pin={','.join(pins)}")
    assert admin("set", "one.example", *together, "delay_warning = true", "allow_private=NO").exit_code == 0
    domain = config.load(admin.path).domains["one.example"]
    assert domain.tls_pin == tuple(map(bytes.fromhex, pins))
    assert (domain.primary_password_file, domain.delay_warning, domain.allow_private) == (secret, True, False)
    assert admin("set", "one.example", "ldap.url=ldap://x", 'ldap.attributes=["mail", "a,b"]', "ldap.start_tls=no").exit_code == 0
    ldap = config.load(admin.path).domains["one.example"].ldap
    assert ldap is not None
    assert (ldap.attributes, ldap.start_tls) == (("mail", "a,b"), False)


def test_a_file_that_this_user_may_not_read_stops_no_other_change(tmp_path: Path, admin: Admin) -> None:
    """The key is the server's to read; but what this change asks for must be there."""
    admin.path.write_text(
        admin.now.replace("[control]", f'[smtp]\ntls_certificate = "{tmp_path}/c.pem"\ntls_key = "{tmp_path}/k.pem"\n[control]')
    )
    assert admin("set", "one.example", "holding_window=3d").exit_code == 0
    done = admin("set", "one.example", "tls=verify", f"tls_ca_file={tmp_path}/ca.pem")
    assert done.exit_code == 78
    assert [line.count("ca.pem") for line in done.stderr.splitlines()] == [1]


def test_what_cannot_be_written_without_harm_is_not_written(tmp_path: Path) -> None:
    """A domain that is there by its only key would go with it: exit 1, and the file stays."""
    admin = Admin(tmp_path, 'control = {socket = "SPOOL/c.sock"}\n[domain]\n"one.example".primary = ["a"]\n"two.example" = {}\n')
    done = admin("set", "one.example", "primary=")
    assert done.exit_code == 1
    assert "only a person can change" in done.stderr
    assert admin.wrote()
    assert admin("set", "one.example", "primary=b", "ldap.url=ldap://x").exit_code == 0
    assert admin.wrote(('= ["a"]\n', '= ["b"]\n"one.example".ldap = {url = "ldap://x"}\n'))
