"""`backupmx queue export`: copies of messages, for programs that know nothing of this one. Nothing changes in the queue."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

import rich_click as click

from backupmx.cli.act import counted, named
from backupmx.cli.files import new_file
from backupmx.cli.letters import in_a_maildir, in_an_mbox
from backupmx.cli.options import asker, config_option, server
from backupmx.cli.progress import progress
from backupmx.cli.selection import selection
from backupmx.cli.terminal import say
from backupmx.control.client import ControlClient
from backupmx.control.requests import ListQueue, ReadMessage, Verb
from backupmx.core import words
from backupmx.core.message import Message
from backupmx.core.queue import Filter
from backupmx.errors import ControlAbsent, ControlUnavailable, FileUnwritable

Keep = Callable[[Message, Iterator[bytes]], None]
"""Puts one message where it belongs."""
PIPE = Path("-")
MAILDIR = {"cur", "new", "tmp"}


@click.command("export")
@selection
@click.option("--format", "form", type=click.Choice(["eml", "mbox", "maildir"]), default="eml", show_default=True)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default="-",
    help="A directory; for mbox a new file. Else standard output, for one eml or an mbox.",
)
@config_option
def export(ids: tuple[str, ...], wanted: Filter, form: str, to: Path) -> None:
    """Write copies of messages: each as it came (eml), or with its envelope in an mbox or a maildir.

    They stay in the queue. No file is ever overwritten; who exported what is in the server's log.
    """
    if to == PIPE and sys.stdout.isatty():
        raise click.UsageError("mail is not for a terminal: give --to, or a pipe")
    if to == PIPE and (form == "maildir" or (form == "eml" and len(set(ids)) != 1)):
        raise click.UsageError("standard output takes one message, or an mbox: give --to a directory")
    client = server()
    messages, total = _meant(client, ids, wanted)
    done, trouble = 0, False
    with PLACES[form](to) as keep, progress("exporting", total) as step:
        for message in messages:
            try:
                keep(message, client.content(ReadMessage(message.id, asker(), header_only=False)))
                done += 1
            except ControlAbsent:
                raise
            except (ControlUnavailable, FileExistsError) as error:
                say(f"{message.id}: left out: {error}")
                trouble = True
            step(1)
    say(f"exported: {words.messages(done)}")
    sys.exit(1 if trouble else 0)


def _meant(client: ControlClient, ids: tuple[str, ...], wanted: Filter) -> tuple[Iterator[Message], int | None]:
    """The messages, and how many there are, if that is known."""
    if ids:
        rows = named(client, ids)
        return iter({row.message.id: row.message for row in rows}.values()), len(rows)
    found = counted(client, Verb.DELETE, wanted)
    return (row.message for row in client.listing(ListQueue(wanted))), found.messages if found.all else None


@contextmanager
def _eml(to: Path) -> Iterator[Keep]:
    """Octet for octet."""
    if to == PIPE:
        yield lambda _message, pieces: sys.stdout.buffer.writelines(pieces)
        return
    _make(to)
    yield lambda message, pieces: _put(to / f"{message.id}.eml", pieces)


@contextmanager
def _maildir(to: Path) -> Iterator[Keep]:
    _make(to)
    if (there := {each.name for each in to.iterdir()}) and not there >= MAILDIR:
        raise FileUnwritable(f"{to}: is no maildir, and not empty")
    for name in MAILDIR:
        _make(to / name)
    yield lambda message, pieces: _put(to / "new" / message.id, in_a_maildir(message, pieces), to / "tmp" / message.id)


@contextmanager
def _mbox(to: Path) -> Iterator[Keep]:
    if to == PIPE:
        yield lambda message, pieces: sys.stdout.buffer.writelines(in_an_mbox(message, pieces))
        return
    with new_file(to) as file:
        yield lambda message, pieces: _append(file, in_an_mbox(message, pieces))


PLACES: Mapping[str, Callable[[Path], AbstractContextManager[Keep]]] = {"eml": _eml, "mbox": _mbox, "maildir": _maildir}


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileUnwritable(f"{directory}: {error.strerror}") from None


def _put(path: Path, pieces: Iterator[bytes], draft: Path | None = None) -> None:
    if os.path.lexists(path):
        raise FileExistsError(f"{path} is there already")
    with new_file(path, draft=draft) as file:
        file.writelines(pieces)


def _append(file: BinaryIO, pieces: Iterator[bytes]) -> None:
    """All of a message, or nothing of it."""
    begin = file.tell()
    try:
        file.writelines(pieces)
    except ControlUnavailable:
        file.seek(begin)
        file.truncate()
        raise
