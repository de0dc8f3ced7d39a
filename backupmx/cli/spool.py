"""`backupmx spool`: how full the store is, and whether it is sound; copies of it, and less of its disk."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import rich_click as click

from backupmx.cli.files import new_file
from backupmx.cli.options import config_option, json_option, server, settings
from backupmx.cli.progress import Step, progress
from backupmx.cli.terminal import say, show, show_json
from backupmx.core.words import messages, size
from backupmx.errors import BackupUnusable
from backupmx.owner import as_owner

if TYPE_CHECKING:
    from backupmx.app import Finding, Restoration

PIPE = Path("-")


@click.group()
@config_option
def spool() -> None:
    """Look after the store that holds the mail."""


@spool.command("stats")
@json_option
@config_option
def stats(as_json: bool) -> None:
    """Tell how full the store is."""
    from backupmx.control.answers import Refused, SpoolStatsAnswer  # noqa: PLC0415
    from backupmx.control.requests import GetSpoolStats  # noqa: PLC0415

    answer = server().ask(GetSpoolStats())
    if not isinstance(answer, SpoolStatsAnswer):
        say(*(answer.problems if isinstance(answer, Refused) else ("no answer that fits",)))
        sys.exit(1)
    found = answer.stats
    if as_json:
        show_json(found)
        return
    show(f"layout: {found.layout}")
    show(f"in use: {size(found.map_used)} of a map of {size(found.map_size)}")
    show(f"file: {size(found.file_size)}")
    show(f"disk free: {size(found.disk_free)}, of which {size(found.reserve)} are never used")
    show(f"room for mail: {size(found.room)}")
    show(f"coming in now: {messages(found.unfinished)}")


@spool.command("verify")
@json_option
@config_option
def verify(as_json: bool) -> None:
    """Read every message and compare it with its digest, with or without a running server (exit 1: something is wrong)."""
    from backupmx import app  # noqa: PLC0415 - the store

    found = settings()
    with as_owner(found.spool), progress("verifying", app.messages(found)) as step:
        sound, problems = tell_findings(app.verify_spool(found), step, as_json)
    say(f"{sound} sound, problems: {problems}" if problems else f"the spool is sound, messages: {sound}")
    sys.exit(1 if problems else 0)


@spool.command("backup")
@click.argument("file", metavar="FILE|-", type=click.Path(path_type=Path))
@config_option
def back_up(file: Path) -> None:
    """Copy all that the spool holds into one file, with or without a running server: mail, history, recipients, accounts.

    It is a tar file of all that is secret here: keep it as the mail itself. While it is written the server's file may grow.
    What `backupmx backup --with-mail` writes has the configuration too.
    """
    from backupmx import app  # noqa: PLC0415 - the store

    if file == PIPE and sys.stdout.isatty():
        raise click.UsageError("mail is not for a terminal: give a file, or a pipe")
    found, now = settings(), datetime.now(UTC)
    with as_owner(found.spool):
        total = app.backup_size(found)
    with progress("copying", total, octets=True) as step:
        if file == PIPE:
            with as_owner(found.spool):
                app.back_up(found, sys.stdout.buffer, now, step)
            return
        with new_file(file) as out, as_owner(found.spool):
            app.back_up(found, out, now, step)
    say(f"{file}: {size(file.stat().st_size)}")


@spool.command("restore")
@click.argument("file", metavar="FILE|-", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Also where mail has been: what is there now is kept in a directory aside.")
@click.option("--unsound", is_flag=True, help="Also when not everything in the backup is sound.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def restore(file: Path, replace: bool, unsound: bool, yes: bool) -> None:
    """Put a backup in place, all of it or nothing, while no server runs.

    What was delivered since the backup was made will be delivered again, and what came in since then is not in it.
    The configuration stays as it is, whether or not there is one in the backup.
    """
    from backupmx import app  # noqa: PLC0415 - the store

    if file == PIPE and not yes:
        raise click.UsageError("standard input is taken: --yes must answer what would be asked")
    found = settings()
    with _opened(file) as stream, as_owner(found.spool), app.restoring(found) as restoration:
        if not replace and not app.is_new(found):
            say(f"{found.spool}: mail has been here; with --replace it is kept aside, and is not delivered any more")
            sys.exit(1)
        taken = _read(restoration, file, stream)
        with progress("verifying", restoration.messages) as step:
            sound, problems = tell_findings(restoration.findings(), step, as_json=False)
        say(f"{file}: of {taken:%Y-%m-%d %H:%M:%S UTC}, {messages(sound)}" + (f", problems: {problems}" if problems else ""))
        if problems and not unsound:
            say("nothing is restored; --unsound restores it all the same")
            sys.exit(1)
        say("what was delivered since then will be delivered again")
        if here := app.messages(found):
            say(f"kept aside, and not delivered any more, is what is here now: {messages(here)}")
        if not yes:
            click.confirm("put it in place?", abort=True, err=True)
        kept = restoration.put_in_place(datetime.now(UTC))
    say(f"{found.spool}: restored" + (f"; what was here before is in {kept}" if kept else ""))


@spool.command("compact")
@config_option
def compact() -> None:
    """Give free room inside the spool's file back to the disk, while no server runs."""
    from backupmx import app  # noqa: PLC0415 - the store

    found = settings()
    with as_owner(found.spool), progress("copying", app.backup_size(found), octets=True) as step:
        before, after = app.compact_spool(found, step)
    say(f"{found.spool}: {size(before)} before, {size(after)} now")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        stream = sys.stdin.buffer if file == PIPE else file.open("rb")
    except OSError as error:
        say(f"{file}: {error.strerror}", "nothing is restored")
        sys.exit(1)
    with stream:
        yield stream


def _read(restoration: "Restoration", file: Path, stream: BinaryIO) -> datetime:
    """Returns when the backup was made."""
    from backupmx import app  # noqa: PLC0415

    try:
        total = None if file == PIPE else os.fstat(stream.fileno()).st_size
        with progress("reading", total, octets=True) as step, app.incoming(stream) as incoming:
            label = restoration.take(incoming, step)
        if label.mail:
            return label.taken
        say(f"{file}: has no mail in it; backupmx restore takes what it has", "nothing is restored")
    except OSError as error:
        say(f"{file}: {error.strerror}", "nothing is restored")
    except BackupUnusable as error:
        say(f"{file}: {error}", "nothing is restored")
    sys.exit(1)


def tell_findings(findings: Iterable["Finding"], step: Step, as_json: bool) -> tuple[int, int]:
    """Print what is not sound; returns how many messages are, and how many problems there are."""
    sound = problems = 0
    for finding in findings:
        step(finding.id is not None)
        sound += finding.id is not None and finding.problem is None
        if finding.problem is None:
            continue
        problems += 1
        if as_json:
            show_json(finding)
        else:
            show(f"{finding.id or 'indexes'}: {finding.problem}")
    return sound, problems
