"""The files of the image in the eyes of the programs that read them."""

import subprocess
from pathlib import Path

import pytest

from tests.device.machine import IMAGE, PROJECT, Machine

pytestmark = pytest.mark.peer

SCRIPTS = sorted(
    each
    for each in IMAGE.rglob("*")
    if each.is_file() and each.read_bytes()[:20].startswith((b"#!/bin/bash", b"#!/usr/bin/env bash"))
)


def test_there_are_scripts() -> None:
    assert IMAGE / "root/usr/lib/backupmx/disk" in SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda each: str(each.relative_to(IMAGE)))
def test_shellcheck_finds_nothing(script: Path) -> None:
    done = subprocess.run(
        ["shellcheck", "--external-sources", "--severity=warning", script],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_unbound_takes_its_configuration(machine: Machine) -> None:
    machine.write("/etc/unbound/unbound.conf", 'include-toplevel: "/etc/unbound/unbound.conf.d/backupmx.conf"\n')
    assert "no errors" in machine.do("unbound-checkconf", "/etc/unbound/unbound.conf")


def test_systemd_takes_the_units(machine: Machine) -> None:
    """With those of the package, which they complete."""
    machine.do("cp", "-r", f"{IMAGE.parent}/systemd/.", "/usr/lib/systemd/system/")
    machine.install_backupmx()
    for script in ("image/deb/backupmx-update",):
        machine.do("install", "-m", "755", f"{IMAGE.parent}/{script}", "/usr/sbin/")
    units = sorted(each.name for each in (IMAGE / "root/usr/lib/systemd/system").glob("backupmx*.*") if each.is_file())
    done = machine.run("systemd-analyze", "verify", "--man=no", *(f"/usr/lib/systemd/system/{each}" for each in units))
    ours = [line for line in done.stdout.splitlines() if "backupmx" in line and "ImportCredential" not in line]
    assert ours == []
