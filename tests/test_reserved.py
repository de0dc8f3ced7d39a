"""What a configuration that somebody brings may set, who need not be somebody on this machine."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from backupmx import config
from backupmx.config import Settings
from backupmx.core.setup import Answers
from backupmx.reserved import brought
from backupmx.setup.configuration import Places, written

NEW = written(Answers("example.net", "mail.example.net", "mx2.example.net", "petra", "", ""), Places())
"""What a machine has that was just set up on its page."""
ETC = "/etc/backupmx"
SECRET = f'primary_user = "us"\nprimary_password_file = "{ETC}/password"\n'
HOLDS_A_SECRET = f'[domain."example.com"]\nprimary = ["mail.example.com"]\ntls = "verify"\ntls_ca_file = "{ETC}/ca.pem"\n{SECRET}'


def read(text: str) -> Settings:
    return config.read(text.encode(), Path(ETC, "backupmx.toml"), serving=False)


def reserved(new: str, present: str, comes: Sequence[str] = ()) -> list[str]:
    return list(brought(read(new), read(present), set(map(Path, comes)).__contains__))


def test_a_machine_becomes_what_another_one_was() -> None:
    """All that people change who never saw a shell, and limits; files that come along tell nothing of this machine."""
    old = f"""
hostname = "mx.example.com"
reserve = "2 GiB"
[smtp]
max_message_size = "100 MiB"
tls_certificate = "{ETC}/tls/../tls/c.pem"
tls_key = "{ETC}/tls/k.pem"
[delivery]
probe_interval = "10s"
[alerts]
urls = ["ntfys://ntfy.example.net/topic"]
digest = "weekly"
[defaults]
holding_window = "21d"
when_unknown = "accept"
[domain."example.com"]
primary = ["mail.example.com", "10.0.0.1"]
holding_window = "30d"
language = "sv"
[domain."example.org"]
recipients = "list"
recipient_list = "{ETC}/list.txt"
primary = ["mail.example.org"]
tls = "required"
{SECRET}
"""
    files = [f"{ETC}/{name}" for name in ("tls/c.pem", "tls/k.pem", "list.txt", "password")]
    assert reserved(old, NEW, files) == []
    assert reserved(NEW, old) == []
    assert reserved(old, NEW) == [
        "smtp.tls_certificate",
        "smtp.tls_key",
        'domain."example.org".recipient_list',
        *(f'domain."example.org".{key}' for key in ("primary", "tls", "primary_user", "primary_password_file")),
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('spool = "/tmp/x"', "spool"),
        ('[control]\nsocket = "/tmp/x"', "control.socket"),
        ('[web]\nlisten = "0.0.0.0:80"', "web.listen"),
        ('[smtp]\nlisten = ["0.0.0.0:2525"]', "smtp.listen"),
        ('[smtp]\nproxy_from = ["0.0.0.0/0"]', "smtp.proxy_from"),
        ('[smtp]\nxclient_from = ["0.0.0.0/0"]', "smtp.xclient_from"),
        ('[dns]\nnameservers = ["192.0.2.1"]', "dns.nameservers"),
        ('[alerts]\nurls_file = "/etc/passwd"', "alerts.urls_file"),
        ('[defaults]\nrecipient_list = "/etc/passwd"\n[domain."example.com"]\nrecipient_list = ""', "defaults.recipient_list"),
        ('[domain."example.com"]\nrecipient_list = "/etc/passwd"', 'domain."example.com".recipient_list'),
        ('[domain."example.com"]\ntls = "verify"\ntls_ca_file = "/etc/passwd"', 'domain."example.com".tls_ca_file'),
        ('[domain."example.com".ldap]\nurl = "ldap://192.0.2.1"', 'domain."example.com".ldap'),
    ],
)
def test_what_is_reserved_is_named(text: str, key: str) -> None:
    """Unless it is so already, or comes to nothing but the default."""
    if "[domain" not in text:
        text += '\n[domain."example.com"]'
    assert reserved(text, NEW) == [key]
    assert reserved(text, text) == []
    assert reserved('[domain."example.com"]', text) == []


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("mail.example.com", "mail.attacker.example", "primary"),
        ('primary = ["mail.example.com"]\n', "", "primary"),
        ('"us"', '"them"', "primary_user"),
        ('tls = "verify"\ntls_ca_file = "/etc/backupmx/ca.pem"\n', "", "tls"),
        ('tls_ca_file = "/etc/backupmx/ca.pem"\n', "", "tls_ca_file"),
        ("ca.pem", "other.pem", "tls_ca_file"),
    ],
)
def test_the_password_of_a_primary_goes_to_nobody_else(old: str, new: str, key: str) -> None:
    """Not even by a default; unless it is the bringer's own, or is not there any more."""
    changed = HOLDS_A_SECRET.replace(old, new)
    assert f'domain."example.com".{key}' in reserved(changed, HOLDS_A_SECRET, [f"{ETC}/other.pem"])
    assert reserved(changed, HOLDS_A_SECRET, [f"{ETC}/password", f"{ETC}/other.pem"]) == []
    assert reserved('[domain."example.com"]\nprimary = ["mail.attacker.example"]', HOLDS_A_SECRET) == []
    another = reserved(changed.replace('"example.com"', '"two.example"'), HOLDS_A_SECRET)
    assert 'domain."two.example".primary_password_file' in another


def test_who_vouches_for_whoever_is_given_a_password_is_not_exchanged() -> None:
    """The file may keep its name."""
    ca = f"{ETC}/ca.pem"
    assert reserved(HOLDS_A_SECRET, HOLDS_A_SECRET) == []
    assert reserved(HOLDS_A_SECRET, HOLDS_A_SECRET, [ca]) == ['domain."example.com".tls_ca_file']
    assert reserved(HOLDS_A_SECRET, HOLDS_A_SECRET, [ca, f"{ETC}/password"]) == []
    ldap = f'[domain."example.com".ldap]\nurl = "ldaps://a.example"\npassword_file = "{ETC}/password"\nca_file = "{ca}"\n'
    assert reserved(ldap, ldap, [ca]) == ['domain."example.com".ldap.ca_file']
    assert reserved(ldap, ldap, [ca, f"{ETC}/password"]) == []
