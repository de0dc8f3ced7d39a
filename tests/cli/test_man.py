"""The manual pages: one for each command, which the programs that read such pages can read."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from backupmx.cli.main import root

WRITE = Path(__file__).parents[2] / "image" / "manual.py"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By their names."""
    place = tmp_path_factory.mktemp("man")
    environment = os.environ | {"SOURCE_DATE_EPOCH": "0"}
    subprocess.run([sys.executable, str(WRITE), str(place)], check=True, env=environment, timeout=30)
    return {page.stem: page for page in place.iterdir()}


def commands(command: click.Command, path: str = "backupmx") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path}-{name}")


def test_each_command_has_a_page(pages: dict[str, Path]) -> None:
    """With all of its options, and nothing of the markup of terminals; the same source makes the same page."""
    known = dict(commands(root))
    assert set(pages) == set(known)
    for name, command in known.items():
        text = pages[name].read_text()
        assert '"1970-01-01"' in text
        assert "\x1b" not in text
        assert not re.search(r"\[/?(bold|dim|red|green|cyan)", text)
        for option in (each for each in command.params if isinstance(each, click.Option)):
            assert option.opts[0].replace("-", r"\-") in text, (name, option)
    assert r"See \fBbackupmx-queue-export(1)\fP" in pages["backupmx-queue"].read_text().replace(r"\-", "-")


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not there")
def test_groff_finds_nothing_to_warn_of(pages: dict[str, Path]) -> None:
    """And prints whole sentences."""
    command = ["groff", "-Kutf8", "-man", "-Tutf8", "-ww", "-P-c", *(str(page) for page in pages.values())]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    assert "Try everything that waits now, of one domain or of all." in done.stdout


@pytest.mark.skipif(not shutil.which("lexgrog"), reason="man-db is not there")
def test_apropos_finds_each_page(pages: dict[str, Path]) -> None:
    """A name, and what it is for."""
    command = ["lexgrog", *(str(page) for page in pages.values())]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert len(re.findall(r': "backupmx[a-z-]* - \w.*"$', done.stdout, re.MULTILINE)) == len(pages)
