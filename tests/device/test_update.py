"""`backupmx-update`: a newer version, or the old one again. Small packages, a real dpkg and apt; systemd is spoken for."""

import subprocess
from pathlib import Path

import pytest

from tests.device.machine import PROJECT, Machine

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

# says of each unit that it runs, unless the version that is installed is one that does not come up
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >>/run/systemctl
case "$*" in
  *is-active*) ! grep -qs dead /usr/share/backupmx-demo/state ;;
  *NRestarts*) echo 0 ;;
  *ExecMainStart*) cat /run/begun 2>/dev/null || echo 1 ;;
  *Listen*) echo "127.0.0.1:9 (Stream)" ;;
esac
"""


@pytest.fixture
def updater(machine: Machine, tmp_path: Path) -> Machine:
    """With version 1 installed, and a configuration that an admin has changed."""
    source = (PROJECT / "image/deb/backupmx-update").read_text()
    # patience is not what is tested
    machine.write(
        "/usr/sbin/backupmx-update", source.replace("steady_s=10", "steady_s=0").replace("patience_s=120", "patience_s=1"), "755"
    )
    machine.write("/usr/bin/systemctl", SYSTEMCTL, "755")
    machine.do("mkdir", "-p", "/run/systemd/system")
    # no page here that could answer
    machine.do("sed", "-i", "s/backupmx-web.service backupmx-setup.service; do/; do/", "/usr/sbin/backupmx-update")
    machine.do("dpkg", "--install", package(tmp_path, "1"))
    machine.write("/etc/backupmx-demo.conf", "changed\n")
    return machine


def package(
    place: Path, version: str, state: str = "alive", script: str = "exit 0", name: str = "backupmx", arch: str | None = None
) -> str:
    """The file."""
    root = place / f"{name}-{version}"
    own = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: {arch or own}\nMaintainer: us <us@example.net>\nDescription: demo\n"
    )
    for path, content in (
        ("DEBIAN/control", control),
        ("DEBIAN/conffiles", "/etc/backupmx-demo.conf\n"),
        ("DEBIAN/postinst", f"#!/bin/sh\n{script}\n"),
        ("etc/backupmx-demo.conf", f"of version {version}\n"),
        ("usr/share/backupmx-demo/state", f"{version} {state}\n"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    (root / "DEBIAN/postinst").chmod(0o755)
    file = place / f"{name}_{version}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, file], check=True, capture_output=True)
    return str(file)


def state(machine: Machine) -> tuple[str, str]:
    """What dpkg says, and what is in the files."""
    said = machine.do("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${Version}", "backupmx")
    assert machine.do("cat", "/etc/backupmx-demo.conf") == "changed\n"
    return said, machine.do("cat", "/usr/share/backupmx-demo/state").strip()


def test_a_newer_version(updater: Machine, tmp_path: Path) -> None:
    done = updater.run("backupmx-update", package(tmp_path, "2"))
    assert (done.returncode, state(updater)) == (0, ("ii 2", "2 alive")), done.stdout
    assert updater.do("ls", "/var/cache/backupmx").split() == ["old.deb"]
    assert "restart --no-block backupmx.service" in updater.do("cat", "/run/systemctl")


def test_one_that_does_not_become_ready_goes_again(updater: Machine, tmp_path: Path) -> None:
    """Twice: then what is kept is the file, no longer what was packed from the machine."""
    for version in ("2", "3"):
        done = updater.run("backupmx-update", package(tmp_path, version, state="dead"))
        assert (done.returncode, state(updater)) == (2, ("ii 1", "1 alive")), done.stdout
    assert updater.do("cat", "/var/cache/backupmx/refused") == "3\n"
    assert not updater.there("/var/cache/backupmx/under-way")


def test_one_that_cannot_be_installed_goes_again(updater: Machine, tmp_path: Path) -> None:
    done = updater.run("backupmx-update", package(tmp_path, "2", script="exit 1"))
    assert (done.returncode, state(updater)) == (2, ("ii 1", "1 alive")), done.stdout


def test_what_is_not_ours_is_not_touched(updater: Machine, tmp_path: Path) -> None:
    damaged = Path(package(tmp_path, "2"))
    damaged.write_bytes(damaged.read_bytes()[:-300])
    for file in (package(tmp_path, "2", name="other"), package(tmp_path, "4", arch="s390x"), str(damaged), "/nowhere.deb"):
        done = updater.run("backupmx-update", file)
        assert (done.returncode, state(updater)) == (1, ("ii 1", "1 alive")), done.stdout
    assert updater.run("backupmx-update", "http://example.net/backupmx.deb").returncode == 1


def test_an_update_that_was_cut_short_is_finished(updater: Machine, tmp_path: Path) -> None:
    """Unpacked, and power went."""
    new = package(tmp_path, "2", script="test -e /run/lives || kill -9 $(cat /run/update) $PPID")
    updater.run("sh", "-c", f"echo $$ >/run/update; exec backupmx-update {new}")
    assert updater.run("dpkg", "--audit").stdout != ""
    updater.write("/run/lives", "")
    done = updater.run("backupmx-update", "--resume")
    assert (done.returncode, state(updater)) == (0, ("ii 2", "2 alive")), done.stdout


def test_from_a_repository_and_no_other_package_from_there(updater: Machine, tmp_path: Path) -> None:
    place = tmp_path / "repository"
    place.mkdir()
    package(place, "2")
    package(place, "1", name="apt-unknown")
    home = f"--homedir={tmp_path / 'gnupg'}"
    (tmp_path / "gnupg").mkdir(mode=0o700)
    index = "apt-ftparchive packages . >Packages && apt-ftparchive release . >Release"
    subprocess.run(["sh", "-c", index], cwd=place, check=True, capture_output=True)
    gpg = ["gpg", "--batch", "--quiet", home, "--passphrase", "", "--pinentry-mode", "loopback"]
    subprocess.run([*gpg, "--quick-generate-key", "us", "ed25519"], check=True, capture_output=True)
    subprocess.run([*gpg, "--clearsign", "--output", "InRelease", "Release"], cwd=place, check=True, capture_output=True)
    key = subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True).stdout
    updater.do("cp", "-r", str(place), "/var/lib/repository")
    updater.write("/root/key", key)
    updater.write("/root/other", key.replace(b"\n", b"\nA", 3))
    wrong = updater.run("backupmx-update", "--repository", "file:/var/lib/repository", "--key", "/root/other")
    assert (wrong.returncode, state(updater)) == (1, ("ii 1", "1 alive")), wrong.stdout
    assert not updater.there("/etc/apt/sources.list.d/backupmx.sources")
    done = updater.run("backupmx-update", "--repository", "file:/var/lib/repository", "--key", "/root/key")
    assert (done.returncode, state(updater)) == (0, ("ii 2", "2 alive")), done.stdout
    assert "Candidate: (none)" in updater.do("apt-cache", "policy", "apt-unknown")
    before = settings_of_apt(updater)
    for mistyped in (
        ("file:/var/lib/repo", "/root/key"),
        ("file:/var/lib/repository", "/root/other"),
        ("typo", "/root/key"),
    ):
        wrong = updater.run("backupmx-update", "--repository", mistyped[0], "--key", mistyped[1])
        assert (wrong.returncode, "nothing is changed" in wrong.stdout) == (1, True), wrong.stdout
        assert settings_of_apt(updater) == before
    again = updater.run("backupmx-update", "--from-repository")
    assert (again.returncode, "nothing newer" in again.stdout) == (0, True), again.stdout
    updater.write("/root/binary", subprocess.run([*gpg, "--export"], check=True, capture_output=True).stdout)
    other = updater.run("backupmx-update", "--repository", "file:/var/lib/repository", "--key", "/root/binary")
    assert (other.returncode, "nothing newer" in other.stdout) == (0, True), other.stdout
    assert updater.do("sh", "-c", "ls /etc/apt/keyrings/backupmx.*").split() == ["/etc/apt/keyrings/backupmx.gpg"]


def settings_of_apt(machine: Machine) -> str:
    """All that we told it."""
    return machine.do("sh", "-c", "tail -n +1 /etc/apt/*.d/backupmx* /etc/apt/keyrings/backupmx*")
