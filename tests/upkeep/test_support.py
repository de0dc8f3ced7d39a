"""`backupmx support-bundle`: secrets and people planted everywhere, and looked for in all of it."""

import asyncio
import gzip
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from backupmx.control.accounts import Accounts, Role
from tests.checks.zone import zone
from tests.serve.instance import Client, running
from tests.upkeep.machine import commands

SECRETS = {
    "alert": "alertPassw0rd",
    "topic": "s3cretTopic99",
    "file": "fileTokenXYZ77",
    "ping": "pingUuid-4711-aa",
    "primary": "primaryP4ssw0rd",
    "bind": "bindP4ssw0rd",
    "who": "cn=reader-of-names",
    "misspelt": "misspeltS3cret",
    "comment": "commentS3cret",
    "user": "loginUserOfOurs",
    "older": "0lderS3cret",
    "number": "4711471147",
    "day": "2019-08-17",
}
PEOPLE = ("anna.sender", "user-of-example", "berta.known", "quoted person", "petra.admin", "cäsar.intl", "bare.local")
WRITTEN = ("What-They-Write-About", "what they wrote to each other", "Traceback-Value-Planted")
TRACE = (
    '"Traceback (most recent call last):\\\\n  File \\"/opt/x.py\\", line 7, in accept\\\\n    do(it)\\\\n'
    'ValueError: Traceback-Value-Planted anna.sender@x.example"'
)
"""As the log writes it."""


def tables(place: Path) -> str:
    return f"""
[alerts]  # {SECRETS["comment"]}
urls = ["mailto://{SECRETS["user"]}:{SECRETS["alert"]}@smtp.example.net", "ntfys://ntfy.example.net/{SECRETS["topic"]}"]
urls_file = "{place}/urls.txt"
ping_url = "https://ping.example.net/{SECRETS["ping"]}"
"""


EXTRA = """
primary_user = "{user}"
primary_password_file = "{place}/password"
tls = "required"
[domain."two.example"]
primary = ["127.0.0.1:9"]
recipients = "list"
[domain."two.example".ldap]
url = "ldaps://127.0.0.1:9"
bind_dn = "{who}"
password_file = "{place}/bind"
"""


def journal(place: Path) -> Path:
    """A `journalctl` that has heard all of it."""
    stamp = "2026-11-26T09:30:00+0000 mx2 backupmx[77]: "
    last = "process=edge0 timestamp=2026-11-26T09:30:00Z"
    lines = [
        f"{stamp}level=info event=accepted id=01J client=192.0.2.1 helo=x sender=anna.sender@elsewhere.example "
        f"to=user-of-example@example.com,berta.known@example.com size=4 tls=TLSv1.3 {last}",
        f'{stamp}level=info event=deferred id=01J to="\\"quoted person\\"@example.com" host=mail.example.com '
        f'reply="450 4.2.0 <anna.sender@elsewhere.example> says quoted person is away" due=x {last}',
        f'{stamp}level=info event=refused client=192.0.2.1 reason=relay reply="554 no" detail="bare.local@other.example" {last}',
        f'{stamp}level=error event="alert not told" to=mailto://smtp.example.net why="535 {SECRETS["alert"]} refused" {last}',
        f"{stamp}level=info event=admin verb=read by=petra.admin@example.com id=01J {last}",
        f"{stamp}level=error event=trouble where=edge exception={TRACE} {last}",
        f'{stamp}level=info event=odd subject_line="What-They-Write-About" {last}',
        stamp + json.dumps({"event": "delivered", "level": "info", "to": "cäsar.intl@example.com", "token": SECRETS["file"]}),
        f"{stamp}ValueError: Traceback-Value-Planted {SECRETS['bind']}",
        f"{stamp}what they wrote to each other",
        "what they wrote to each other, on a line alone",
        f"{stamp}backupmx: ready",
        # of a configuration that is mended meanwhile, and of people without the address that they have elsewhere
        f'{stamp}level=error event="configuration kept" problem="/b.toml: domain.\\"example.com\\".passvord = '
        f'\\"{SECRETS["older"]}\\": unknown key; is primary_password_file meant?" {last}',
        f'{stamp}backupmx: /b.toml: alertz = {{"url": ["x://{SECRETS["older"]}"]}}: unknown key',
        f'{stamp}backupmx: /b.toml: alertz.url = "{SECRETS["older"]}{"x" * 200}...: unknown key',
        f'{stamp}level=error event="primary suspect" route=mail.example.com '
        f'reply="550 5.1.1 Berta.Known: no mailbox here" {last}',
        "2026-11-26T09:30:00+0000 mx2 systemd[1]: Started backupmx.service for bare.local@example.com",
    ]
    (place / "lines").write_text("\n".join(lines) + "\n")
    script = place / "bin" / "journalctl"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ncat {place}/lines\n")
    script.chmod(0o755)
    return script.parent


def plant(place: Path) -> None:
    (place / "urls.txt").write_text(f"tgram://{SECRETS['file']}/4711\n")
    (place / "password").write_text(SECRETS["primary"] + "\n")
    (place / "bind").write_text(SECRETS["bind"] + "\n")
    accounts = Accounts(place / "spool" / "accounts.json")
    accounts.set_user("petra.admin@example.com", Role.ADMIN, "correct horse")


def bundle(path: Path, tools: Path) -> Mapping[str, str]:
    """What an admin gets, as texts; and no octet of it that should not be there, in whichever form."""
    file = path.parent / "bundle.tar.gz"
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    command = commands("support-bundle", str(file), "--config", str(path))
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "tar tzf" in done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    octets = gzip.decompress(file.read_bytes()) + done.stderr.encode()
    found = octets.decode(errors="replace")
    token = (path.parent / "token").read_text().strip() if (path.parent / "token").exists() else "bmx_"
    for planted in (*SECRETS.values(), *PEOPLE, *WRITTEN, token, "$argon2"):
        assert planted.lower() not in found.lower(), planted
        assert planted.encode("unicode_escape").decode() not in found, planted
    with tarfile.open(file) as tar:
        members = [member for member in tar if member.isreg()]
        return {member.name.partition("/")[2]: tar.extractfile(member).read().decode() for member in members}  # type: ignore[union-attr]


@pytest.mark.slow
async def test_of_a_running_server(tmp_path: Path) -> None:
    """What helps is in it; what is nobody's business is not."""
    plant(tmp_path)
    async with zone().has("mail.example.com", "A", "10.0.0.1") as nameserver:
        found = await asyncio.to_thread(of_a_running_server, tmp_path, nameserver.place)
    assert_it_helps(found, tmp_path)


def of_a_running_server(place: Path, nameserver: str) -> Mapping[str, str]:
    tools = journal(place)
    with running(place, tables=f'{tables(place)}[dns]\nnameservers = ["{nameserver}"]\n', start=False) as server:
        server.configure(EXTRA.format(place=place, **SECRETS))
        server.start()
        (place / "token").write_text(server.cli("token", "create", "grafana").stdout)
        assert (place / "token").read_text().startswith("bmx_")
        with Client(server.port) as client:
            content = f"Subject: {WRITTEN[0]}\r\nFrom: anna.sender@elsewhere.example\r\n\r\n{WRITTEN[1]}\r\n".encode()
            assert client.mail(content, "anna.sender@elsewhere.example", ("user-of-example@example.com",)).startswith("250")
        return bundle(server.path, tools)


def assert_the_numbers_agree(found: Mapping[str, str]) -> None:
    """Each part has been asked for by itself, and all tell of the same one message."""
    (domain,) = [each for each in json.loads(found["status.json"])["domains"] if each["domain"] == "example.com"]
    queue = json.loads(found["status.json"])["queue"]
    assert queue["messages"] == domain["messages"] == 1
    gauges = dict(line.rsplit(" ", 1) for line in found["metrics.txt"].splitlines() if not line.startswith("#"))
    assert float(gauges['backupmx_queue_messages{domain="example.com",state="waiting"}']) == 1
    octets = sum(float(value) for name, value in gauges.items() if name.startswith("backupmx_queue_bytes{"))
    assert octets == queue["bytes"] == domain["bytes"] > 0
    store = json.loads(found["spool.txt"])
    assert float(gauges["backupmx_spool_map_size_bytes"]) == store["map_size"] > store["map_used"] > 0
    assert f" {store['file_size']} " in next(line for line in found["disks.txt"].splitlines() if line.endswith(" data.mdb"))


def assert_it_helps(found: Mapping[str, str], tmp_path: Path) -> None:
    assert_the_numbers_agree(found)
    assert "primary example.com" in found["findings.txt"]
    assert found["problems.txt"] == "none\n"
    assert "serve: PPid" in found["processes.txt"]
    assert "data.mdb" in found["disks.txt"]
    assert "Backup MX 0" in found["about.txt"]
    assert 'primary = ["127.0.0.1:' in found["configuration.toml"]
    assert f'urls_file = "{tmp_path}/urls.txt"' in found["configuration.toml"]
    assert 'urls = "(removed)"' in found["configuration.toml"]
    assert 'bind_dn = "(removed)"' in found["configuration.toml"]
    log = found["journal.txt"]
    assert 'sender="…@elsewhere.example" to="…@example.com,…@example.com" size="4" tls="TLSv1.3"' in log
    assert 'reply="450 4.2.0 <…@elsewhere.example> says … is away"' in log
    assert 'File \\"/opt/x.py\\", line 7, in accept' in log
    assert "ValueError" in log
    assert "backupmx: ready" in log
    assert 'event="delivered"' in log
    assert_configurations_have_no_values(log)
    assert 'reply="550 5.1.1 …: no mailbox here"' in log


def assert_configurations_have_no_values(log: str) -> None:
    """But what they were about."""
    assert r'problem="/b.toml: domain.\"example.com\".passvord = (removed): unknown key; is primary_password_file meant?"' in log
    assert "backupmx: /b.toml: alertz = (removed): unknown key" in log
    assert "backupmx: /b.toml: alertz.url = (removed)\n" in log


@pytest.mark.parametrize("harm", ["unknown key", "wrong value", "no TOML", "absent"])
def test_of_a_broken_configuration(harm: str, tmp_path: Path) -> None:
    """Then it is wanted most; without a server, and still without secrets, also those under a key that is misspelt."""
    plant(tmp_path)
    text = f'hostname = "mx2.test"\nspool = "{tmp_path}/spool"\n{tables(tmp_path)}\n[smtp]\nworkers = 3\n[domain."example.com"]\n'
    text += f'primary = ["mail.example.com"]\n{EXTRA.format(place=tmp_path, **SECRETS)}'
    match harm:
        case "unknown key":
            text += f'passvord = "{SECRETS["misspelt"]}"\n[alertz]\nurl = ["x://{SECRETS["misspelt"]}"]\n'
            text += f"pin = {SECRETS['number']}\nsince = {SECRETS['day']}\ntimes = [1.5, {SECRETS['number']}]\n"
        case "wrong value":
            text = text.replace("primary_user = ", f'holding_window = "{SECRETS["misspelt"]}"\nprimary_user = ')
            text = text.replace(SECRETS["who"], SECRETS["who"] + '"\nfilter = 7\nbase = "' + SECRETS["misspelt"])
        case "no TOML":
            text += f'passvord = {SECRETS["misspelt"]}\n"\nurls = ["x://{SECRETS["misspelt"]}"\n[[['
    path = tmp_path / "backupmx.toml"
    if harm != "absent":
        path.write_text(text)
    if harm == "wrong value":
        # a value under a harmless key is shown: here it is the fault itself
        path.write_text(text.replace(f'holding_window = "{SECRETS["misspelt"]}"', 'holding_window = "ages"'))
    tools = journal(tmp_path)
    if harm == "unknown key":
        with (tmp_path / "lines").open("a") as lines:
            # what is not known to be harmless is taken out wherever it stands, also where it is no text
            said = f"level=info event=x host={SECRETS['number']} day={SECRETS['day']}"
            lines.write(f"2026-11-26T09:30:00+0000 mx2 backupmx[77]: {said}\n")
    found = bundle(path, tools)
    assert found["problems.txt"] != "none\n"
    assert "could not be had" in found["status.json"]
    assert "accounts.json" in found["disks.txt"] or harm in ("absent", "no TOML")
    assert "backupmx: ready" in found["journal.txt"]
    if harm != "absent":
        assert "[domain" in found["configuration.toml"]
        assert "workers = 3" in found["configuration.toml"]
