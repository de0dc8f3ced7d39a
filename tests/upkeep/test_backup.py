"""`backupmx backup` and `restore`: a machine that is lost, and another in its place."""

import io
import json
import os
import pwd
import re
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyrage
import pytest
from control.house import an_id

from backupmx.control.accounts import Role
from backupmx.core.label import FORM, BackupLabel
from backupmx.errors import BackupUnusable
from backupmx.spool import layout
from backupmx.spool.aside import Placement
from backupmx.spool.backup import incoming
from backupmx.spool.exchange import restoring
from tests.upkeep.machine import DOMAIN, MAIL, Machine, age, commands


@pytest.fixture
def saved(machine: Machine) -> Path:
    """A backup without mail."""
    file = machine.place.parent / "saved.tar"
    assert machine.do("backup", str(file)).exit_code == 0
    return file


def test_without_mail_it_brings_everything_else_to_a_new_machine(machine: Machine, saved: Path) -> None:
    """Configuration with its files, lists and what was learned, users, tokens; and says what is not in it, and what to do."""
    assert saved.stat().st_mode & 0o777 == 0o600
    old = machine.lost()
    done = machine.do("restore", str(saved), typed="y\n")
    assert done.exit_code == 0, done.output
    assert machine.configuration.read_bytes() == old.configuration.read_bytes()
    assert {name: octets for name, (_, octets) in machine.files().items()} == {
        name: octets for name, (_, octets) in old.files().items()
    }
    assert machine.files()["tls/k.pem"][0] == 0o600
    assert machine.files()["backupmx.toml"][0] & 0o027 == 0
    assert machine.people == old.people
    assert machine.people[-2:] == (1, 4711)
    assert machine.accounts.users() == old.accounts.users()
    assert machine.accounts.tokens() == old.accounts.tokens()
    assert (machine.spool / "alerts.json").read_bytes() == (old.spool / "alerts.json").read_bytes()
    assert (machine.spool / "tls" / "key.pem").read_text() == "our own key"
    assert machine.ids == set()
    assert not (machine.spool / "history.sqlite").exists()
    assert machine.problems == []
    assert "2 domains (one.example, two.example), files: backupmx.toml, list.txt, tls/c.pem, tls/k.pem" in done.stderr
    assert "recipients: 3; 1 user and 1 token" in done.stderr
    assert "now start it" in done.stderr


def test_what_is_somebody_else_s_is_named_and_not_in_it(machine: Machine) -> None:
    """And after a restore, if it is not there."""
    elsewhere = machine.place.parent / "elsewhere.txt"
    done = machine.do("backup", str(machine.place.parent / "b.tar"))
    assert f"not in it, for they are elsewhere: {elsewhere}" in done.stderr
    machine.lost()
    elsewhere.unlink()
    done = machine.do("restore", str(machine.place.parent / "b.tar"), "--yes")
    assert done.exit_code == 0
    assert f"{elsewhere}: is not here" in done.stderr
    assert "before it can start" in done.stderr
    assert "alerts.urls_file" in done.stderr


def test_with_mail_it_brings_that_too(machine: Machine, tmp_path: Path) -> None:
    """Sound, and with how things went."""
    assert "mail: 2 messages" in machine.do("backup", str(tmp_path / "b.tar"), "--with-mail").stderr
    machine.lost()
    done = machine.do("restore", str(tmp_path / "b.tar"), "--yes")
    assert done.exit_code == 0, done.output
    assert "what was delivered since then will be delivered again" in done.stderr
    assert (machine.ids, machine.problems) == (MAIL, [])
    assert machine.people[-2:] == (1, 4711)
    assert (machine.spool / "history.sqlite").exists()


def test_mail_that_is_there_is_left_alone_by_a_backup_without(machine: Machine, saved: Path) -> None:
    """Everything else is what it was then; today's is kept aside."""
    with machine.at_work() as house:
        house.take(9)
        house.put_list(DOMAIN, "dora")
    history = (machine.spool / "history.sqlite").read_bytes()
    machine.accounts.set_user("olaf", Role.ADMIN, "correct horse")
    machine.configuration.write_text(machine.text.replace("the office", "another office"))
    now = machine.people
    refused = machine.do("restore", str(saved), "--yes")
    assert refused.exit_code == 1
    assert "with --replace it is kept aside" in refused.stderr
    assert machine.people == now
    done = machine.do("restore", str(saved), "--yes", "--replace")
    assert done.exit_code == 0, done.output
    assert machine.ids == {*MAIL, an_id(9)}
    assert machine.problems == []
    assert (machine.spool / "history.sqlite").read_bytes() == history
    assert machine.people != now
    assert "the office" in machine.configuration.read_text()
    assert not machine.accounts.find("olaf")
    (kept,) = machine.spool.glob("replaced-*")
    assert str(kept) in done.stderr
    assert "another office" in (kept / "configuration" / "backupmx.toml").read_text()
    assert "olaf" in (kept / "accounts.json").read_text()
    assert any(b"dora" in piece.read_bytes() for piece in (kept / "recipients").iterdir())


def test_a_configuration_that_is_broken_can_be_replaced(machine: Machine, saved: Path) -> None:
    """That is when a backup is needed."""
    machine.configuration.write_text(f'spool = "{machine.spool}"\nnonsense = 1\n[domain.x]\n')
    assert machine.do("restore", str(saved), "--yes", "--replace").exit_code == 0
    assert machine.configuration.read_text() == machine.text


@pytest.mark.parametrize("form", ["x25519", "ssh", "armoured"])
def test_it_is_sealed_for_whoever_has_the_key(form: str, machine: Machine, tmp_path: Path) -> None:
    """Nobody else opens it, and it says why; a key of age or of ssh, and what `age -a` makes of it too."""
    key = tmp_path / "key"
    if form == "ssh":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=20)
        public = key.with_name("key.pub").read_text().strip()
    else:
        identity = pyrage.x25519.Identity.generate()
        key.write_text(f"# made today\n{identity}\n")
        public = str(identity.to_public())
    file = tmp_path / "b.age"
    done = machine.do("backup", str(file), "--age", public)
    assert done.exit_code == 0, done.output
    assert b"petra" not in file.read_bytes()
    if form == "armoured":
        opened = pyrage.decrypt(file.read_bytes(), [identity])
        file.write_bytes(pyrage.encrypt(opened, [identity.to_public()], armored=True))
    machine.lost()
    (tmp_path / "other").write_text(str(pyrage.x25519.Identity.generate()))
    (tmp_path / "none").write_text("nothing")
    for options, said in (
        ((), "is sealed"),
        (("-i", str(tmp_path / "other")), "is sealed for another key"),
        (("-i", str(tmp_path / "none")), "is no key that opens anything"),
    ):
        refused = machine.do("restore", str(file), "--yes", *options)
        assert (refused.exit_code, machine.etc.exists()) == (1, False)
        assert said in refused.stderr
    assert machine.do("restore", str(file), "--yes", "-i", str(key)).exit_code == 0
    assert machine.accounts.find("petra")


def test_no_word_of_a_wrong_key_is_repeated(machine: Machine, tmp_path: Path) -> None:
    """Somebody may have taken the secret one for it."""
    secret = str(pyrage.x25519.Identity.generate())
    done = machine.do("backup", str(tmp_path / "b"), "--age", secret)
    assert done.exit_code == 2
    assert secret not in done.output
    assert not (tmp_path / "b").exists()


@pytest.mark.peer
def test_the_command_of_others_opens_and_seals_it(machine: Machine, tmp_path: Path) -> None:
    """Both ways, with mail."""
    subprocess.run(["age-keygen", "-o", str(tmp_path / "key")], check=True, capture_output=True, timeout=20)
    public = (tmp_path / "key").read_text().split("public key: ")[1].split()[0]
    assert machine.do("backup", str(tmp_path / "b.age"), "--with-mail", "--age", public).exit_code == 0
    plain = age("-d", "-i", str(tmp_path / "key"), str(tmp_path / "b.age"))
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert "configuration/backupmx.toml" in tar.getnames()
    (tmp_path / "theirs.age").write_bytes(age("-r", public, given=plain))
    machine.lost()
    done = machine.do("restore", str(tmp_path / "theirs.age"), "--yes", "-i", str(tmp_path / "key"))
    assert done.exit_code == 0, done.output
    assert machine.ids == MAIL


def test_a_pipe_takes_it_and_gives_it(machine: Machine) -> None:
    """`backup - | ssh … restore - --yes`."""
    octets = machine.do("backup", "-").stdout_bytes
    machine.lost()
    assert machine.do("restore", "-", typed=octets).exit_code == 2
    command = commands("restore", "-", "--yes", "--config", str(machine.configuration))
    done = subprocess.run(command, input=octets, capture_output=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert machine.accounts.find("petra")


def rewritten(octets: bytes, harm: str) -> bytes:
    """The same tar file with other members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(octets)) as old, tarfile.open(fileobj=out, mode="w") as tar:
        members = [(member.name, old.extractfile(member).read()) for member in old]  # type: ignore[union-attr]
        label = json.loads(members[0][1])
        match harm:
            case "newer":
                members[0] = ("label.json", json.dumps({"form": FORM + 1, "what": "ever"}).encode())
                members.insert(1, ("something-new/x", b"x"))
            case "layout":
                members[0] = ("label.json", json.dumps(label | {"layout": layout.VERSION + 1}).encode())
            case "climbs":
                label["origin"]["files"].insert(1, "../evil")
                members[0] = ("label.json", json.dumps(label).encode())
                members.insert(2, ("configuration/../evil", b"x"))
            case "lacks":
                members = [each for each in members if each[0] != "configuration/tls/k.pem"]
            case "places":
                members.insert(-1, ("aside/placements.json", b"[]"))
            case "decided":
                members.insert(-1, ("restored-1", b"[]"))
            case "recipients":
                mail = b"\x91\x93\xa7message\xc4\x01x\xc4\x01y"
                members = [(name, mail if name.startswith("recipients.") else each) for name, each in members]
            case "end":
                members.pop()
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


HARM = {
    "cut": "is no",
    "flipped": "is damaged",
    "end": "its end is missing",
    "newer": f"its form is {FORM + 1}, and this program knows {FORM}: a newer one wrote it",
    "layout": "a newer one wrote it",
    "climbs": "does not belong into one",
    "lacks": "its configuration is not what it says",
    "places": "does not belong into one",
    "decided": "does not belong into one",
    "recipients": "something that is no recipient",
}


@pytest.mark.parametrize("harm", HARM)
def test_what_is_no_whole_backup_is_not_restored(harm: str, machine: Machine, saved: Path) -> None:
    """Exit 1, why, and the machine is as it was."""
    octets = bytearray(saved.read_bytes())
    if harm == "cut":
        octets = octets[: len(octets) // 2]
    elif harm == "flipped":
        octets[octets.index(b"our own key")] ^= 1
    else:
        octets = bytearray(rewritten(bytes(octets), harm))
    saved.write_bytes(octets)
    before = machine.files(), machine.people, (machine.spool / "accounts.json").read_bytes()
    done = machine.do("restore", str(saved), "--yes", "--replace")
    assert done.exit_code == 1, done.output
    assert HARM[harm] in done.stderr
    assert done.stderr.endswith("nothing is restored\n")
    assert (machine.files(), machine.people, (machine.spool / "accounts.json").read_bytes()) == before
    assert not [each for each in machine.spool.iterdir() if each.name.startswith(("restoring", "restored", "replaced", "aside"))]


def test_each_kind_of_backup_knows_the_other_command(machine: Machine, saved: Path, tmp_path: Path) -> None:
    """A copy of the spool has no configuration, and a backup without mail is none of the spool."""
    assert machine.do("spool", "backup", str(tmp_path / "s.tar")).exit_code == 0
    assert "backupmx spool restore" in machine.do("restore", str(tmp_path / "s.tar"), "--yes", "--replace").stderr
    assert "backupmx restore takes what it has" in machine.do("spool", "restore", str(saved), "--yes", "--replace").stderr
    assert machine.do("backup", str(tmp_path / "b.tar"), "--with-mail").exit_code == 0
    machine.configuration.write_text(machine.text + "# new\n")
    assert machine.do("spool", "restore", str(tmp_path / "b.tar"), "--yes", "--replace").exit_code == 0
    assert machine.configuration.read_text().endswith("# new\n")
    assert machine.ids == MAIL


def test_what_the_first_form_wrote_is_read_still(machine: Machine, tmp_path: Path) -> None:
    """It had no label, and its end says what it is."""
    assert machine.do("spool", "backup", str(tmp_path / "s.tar")).exit_code == 0
    with tarfile.open(tmp_path / "s.tar") as old, tarfile.open(tmp_path / "first.tar", "w") as tar:
        members = [(member, old.extractfile(member).read()) for member in old if member.name != "label.json"]  # type: ignore[union-attr]
        contents = json.loads(members[-1][1]) | {"form": 1}
        del contents["digests"]["label.json"]
        members[-1] = members[-1][0], json.dumps(contents).encode()
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert "backupmx spool restore" in machine.do("restore", str(tmp_path / "first.tar"), "--yes", "--replace").stderr
    with machine.at_work() as house:
        house.take(9)
    (machine.place / "backupmx.toml").unlink()
    assert machine.do("spool", "restore", str(tmp_path / "first.tar"), "--yes", "--replace").exit_code == 0
    assert machine.ids == MAIL


def test_set_up_finishes_what_the_power_took(machine: Machine, saved: Path) -> None:
    """A new machine has no server that could: whoever waits for it to be set up does, and it is."""
    machine.lost()
    machine.etc.mkdir(parents=True)
    step = "import os, signal, sys\nfrom backupmx.cli.main import main\nfrom backupmx.spool import aside\n"
    step += "aside._place = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\nmain()"
    words = ("restore", str(saved), "--yes", "--config", str(machine.configuration))
    subprocess.run([sys.executable, "-c", step, *words], check=False, timeout=30, capture_output=True)
    assert not machine.configuration.exists()
    assert list(machine.spool.glob("restored-*"))
    setup = ("setup", "serve", "--config", str(machine.configuration), "--socket", str(machine.place / "c.sock"))
    assert subprocess.run(commands(*setup), check=False, timeout=30, capture_output=True).returncode == 0
    assert machine.configuration.read_text() == machine.text
    assert machine.accounts.find("petra")
    left = {each.name for place in (machine.etc, machine.spool) for each in place.iterdir()}
    assert not [name for name in left if name.startswith(("restoring", "restored", "."))]


def test_another_place_is_told_and_not_guessed(machine: Machine, saved: Path, tmp_path: Path) -> None:
    """Paths in a configuration lead where they led."""
    other = Machine(tmp_path / "other")
    done = other.do("restore", str(saved), "--yes")
    assert done.exit_code == 1
    assert f"--config {machine.configuration}" in done.stderr
    machine.configuration.write_text(machine.text.replace(f"{machine.place}/spool", f"{machine.place}/moved"))
    done = machine.do("restore", str(saved), "--yes", "--replace")
    assert done.exit_code == 1
    assert f'set spool = "{machine.spool}"' in done.stderr
    assert not (machine.place / "moved").exists()


def test_nothing_is_restored_under_a_running_server(machine: Machine, saved: Path) -> None:
    """One line says so."""
    lock = layout.lock(machine.spool)
    done = machine.do("restore", str(saved), "--yes", "--replace")
    os.close(lock)
    assert done.exit_code == 1
    assert "another instance works on it" in done.stderr


def test_what_nobody_could_read_is_read_by_whoever_serves(machine: Machine, saved: Path, tmp_path: Path) -> None:
    """Whatever modes a backup has; or no server would start."""
    with tarfile.open(saved) as old, tarfile.open(tmp_path / "b.tar", "w") as new:
        for member in old:
            member.mode = 0
            new.addfile(member, old.extractfile(member))
    machine.lost()
    assert machine.do("restore", str(tmp_path / "b.tar"), "--yes").exit_code == 0
    assert {mode for mode, _ in machine.files().values()} == {0o600}


def test_what_keeps_a_server_from_starting_is_told(machine: Machine, tmp_path: Path) -> None:
    """Whoever is at the console mends it before: here a certificate that is none; or an address of another machine."""
    machine.do("backup", str(tmp_path / "b.tar"))
    without = re.sub("tls_(certificate|key) = .*\n", "", machine.text)
    machine.configuration.write_text(without.replace("127.0.0.1:2599", "192.0.2.7:25"))
    machine.do("backup", str(tmp_path / "elsewhere.tar"))
    done = machine.do("restore", str(tmp_path / "b.tar"), "--yes", "--replace")
    assert done.exit_code == 0
    tls = machine.etc / "tls"
    assert f"before it can start: smtp.tls_certificate: {tls}/c.pem with {tls}/k.pem: " in done.stderr
    assert "smtp.listen" not in done.stderr
    done = machine.do("restore", str(tmp_path / "elsewhere.tar"), "--yes", "--replace")
    assert "before it can start: smtp.listen: 192.0.2.7:25: Cannot assign requested address" in done.stderr


@pytest.mark.peer
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_restores_for_whoever_serves(machine: Machine, saved: Path) -> None:
    """Who has the directories has what is put there: root works with that user's rights."""
    machine.lost()
    for place in (machine.etc, machine.spool):
        place.mkdir(parents=True)
        os.chown(place, 4321, 4322)
    # as those above /var/lib/backupmx: everybody may pass
    for place in machine.etc.parents:
        place.chmod(place.stat().st_mode | 0o111)
    assert machine.do("restore", str(saved), "--yes").exit_code == 0
    for each in (*machine.etc.rglob("*"), *machine.spool.rglob("*")):
        assert (each.stat().st_uid, each.stat().st_gid) == (4321, 4322), each
        assert each.stat().st_mode & 0o007 == 0, each
    os.chown(machine.configuration, 0, 4322)
    machine.configuration.write_text(machine.text + "# new\n")
    assert machine.do("restore", str(saved), "--yes", "--replace").exit_code == 0
    assert (machine.configuration.stat().st_uid, machine.configuration.stat().st_gid) == (4321, 4322)
    for each in machine.spool.rglob("*"):
        assert (each.stat().st_uid, each.stat().st_gid) == (4321, 4322), each


@pytest.mark.peer
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("made", [False, True])
def test_root_restores_also_where_it_has_the_configuration(machine: Machine, saved: Path, made: bool, tmp_path: Path) -> None:
    """In a directory for the server's group, as people make it by hand: the spool is the server's, no link is followed."""
    server, group = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid
    machine.lost()
    machine.etc.mkdir(parents=True)
    os.chown(machine.etc, 0, group)
    secret = tmp_path / "shadow"
    secret.touch()
    if made:
        machine.spool.mkdir()
        (machine.spool / "planted").symlink_to(secret)
        os.chown(machine.spool, server, group)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("backupmx.safekeeping.bringing.USER", "nobody")
        assert machine.do("restore", str(saved), "--yes").exit_code == 0
    assert (machine.configuration.stat().st_uid, machine.configuration.stat().st_gid) == (0, group)
    inside = [machine.spool, *machine.spool.rglob("*")]
    assert {"data.mdb", "lock.mdb", "lock", "accounts.json", "key.pem"} <= {each.name for each in inside}
    assert {(each.lstat().st_uid, each.lstat().st_gid) for each in inside} == {(server, group)}
    assert secret.stat().st_uid == 0


@pytest.mark.peer
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_restore_writes_through_nobodys_link_as_root(machine: Machine, saved: Path, tmp_path: Path) -> None:
    """The spool is root's, as of a new disk; who has the configuration leads it to what only root may write."""
    secret = tmp_path / "shadow"
    secret.write_text("of root alone")
    secret.chmod(0o600)
    (machine.etc / "list.txt").unlink()
    (machine.etc / "list.txt").symlink_to(secret)
    for each in (machine.etc, *machine.etc.rglob("*")):
        os.chown(each, 4321, 4322, follow_symlinks=False)
    for place in machine.etc.parents:
        place.chmod(place.stat().st_mode | 0o111)
    done = machine.do("restore", str(saved), "--yes", "--replace")
    assert done.exit_code == 78
    assert f"{secret}: this user may not write there" in done.stderr
    assert not list(machine.spool.glob("restored-*"))
    # one that was decided before the link was there
    with restoring(machine.spool) as restoration:
        restoration.place({"list.txt": b"x"}, [Placement("list.txt", str(machine.etc / "list.txt"), 0o600)])
        layout.prepare(machine.spool / "restoring")
        with pytest.raises(PermissionError):
            restoration.put_in_place(datetime.now(UTC))
    assert (secret.read_text(), secret.stat().st_uid) == ("of root alone", 0)


def test_help_needs_neither_store_nor_keys() -> None:
    """They are imported when they are used."""
    for command in ("backup", "restore", "support-bundle"):
        code = f"import sys; sys.argv = ['backupmx', '{command}', '--help']\nfrom backupmx.cli.main import main\n"
        code += "try: main()\nexcept SystemExit: pass\nprint(sorted({'pyrage', 'lmdb', 'pydantic'} & set(sys.modules)))"
        done = subprocess.run([commands()[0], "-c", code], capture_output=True, text=True, check=True, timeout=20)
        assert done.stdout.rstrip().endswith("[]"), command


def test_a_file_of_holes_is_no_backup(tmp_path: Path) -> None:
    """A few octets of it would be gigabytes of memory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        label = msgspec.json.encode(BackupLabel(form=2, program="x", taken=datetime.now(UTC), layout=1, mail=False))
        first = tarfile.TarInfo("label.json")
        first.size = len(label)
        tar.addfile(first, io.BytesIO(label))
        holes = tarfile.TarInfo("zeros")
        body = b"1\n1000000\n0\n".ljust(512, b"\0")
        holes.size = len(body)
        holes.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.realsize": "1000000",
            "GNU.sparse.name": "zeros",
        }
        tar.addfile(holes, io.BytesIO(body))
    out.seek(0)
    with pytest.raises(BackupUnusable, match="zeros"), incoming(out) as found:
        found.into(tmp_path, lambda _octets: None)
    assert not (tmp_path / "zeros").exists()
