"""Writes the manual pages: one for each command, from what `--help` says. `python image/manual.py DIRECTORY`.

Knows: the commands, and click-man's form of a page.
Does not know: what any command does.
"""

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click
from click_man.man import ManPage

from backupmx import __version__
from backupmx.cli.main import root
from backupmx.cli.options import PROGRAM

_OBEYED = re.compile(r"^([.'])", re.MULTILINE)
"""At the beginning of a line roff takes what follows these for a request."""


def pages(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """The name and the text of a command's page, then of those of its own commands."""
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    own = {each: command.get_command(context, each) for each in _names(command, context)}
    page = ManPage(context.command_path)
    page.version = __version__
    page.short_help = _plain(_first(command))
    page.synopsis = _plain(" ".join(command.collect_usage_pieces(context)))
    page.description = _plain(cleandoc(command.help or ""))
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    records = filter(None, (each.get_help_record(context) for each in options))
    page.options = [(_plain(option), _plain(said)) for option, said in records]
    page.commands = [(each, _plain(_first(found))) for each, found in own.items() if found]
    joined = context.command_path.replace(" ", "-")
    # click-man points to other pages by the words of the command
    yield joined, str(page).replace(rf"\fB{context.command_path}-", rf"\fB{joined}-")
    for each, found in own.items():
        if found:
            yield from pages(found, each, context)


def _names(command: click.Command, context: click.Context) -> list[str]:
    return command.list_commands(context) if isinstance(command, click.Group) else []


def _first(command: click.Command) -> str:
    """What a command is for, whole: the first paragraph of its help."""
    return " ".join(cleandoc(command.help or "").partition("\n\n")[0].split())


def _plain(text: str) -> str:
    return _OBEYED.sub(r"\\&\1", text.replace("\\", r"\e"))


def main(place: Path) -> None:
    """Write them all."""
    place.mkdir(parents=True, exist_ok=True)
    for name, text in pages(root, PROGRAM):
        (place / f"{name}.1").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
