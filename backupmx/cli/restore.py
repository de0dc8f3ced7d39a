"""`backupmx restore`: this machine becomes what a backup was."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

import rich_click as click

from backupmx.cli.options import config_option, config_path
from backupmx.cli.progress import progress
from backupmx.cli.spool import tell_findings
from backupmx.cli.terminal import say
from backupmx.core.label import told
from backupmx.core.words import messages
from backupmx.errors import BackupUnusable, ConfigurationError
from backupmx.owner import as_owner

if TYPE_CHECKING:
    from backupmx.safekeeping.bringing import Plan
    from backupmx.spool.exchange import Restoration

PIPE = Path("-")
NOTHING = "nothing is restored"


@click.command("restore")
@click.argument("file", metavar="FILE|-", type=click.Path(path_type=Path))
@click.option(
    "--identity",
    "-i",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What opens a sealed backup: a file of age-keygen, or a private key of ssh.",
)
@click.option("--replace", is_flag=True, help="Also where there is a configuration or mail: what is there now is kept aside.")
@click.option("--unsound", is_flag=True, help="Also when not all mail in the backup is sound.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def restore(file: Path, identity: Path | None, replace: bool, unsound: bool, yes: bool) -> None:
    """Put a backup in place, all of it or nothing, while no server runs.

    A backup without mail leaves alone what mail there is. One with mail takes its place: what was delivered since the backup was
    made will be delivered again, and what came in since then is not in it.
    """
    from backupmx.safekeeping import bringing  # noqa: PLC0415 - the store

    if file == PIPE and not yes:
        raise click.UsageError("standard input is taken: --yes must answer what would be asked")
    path = config_path()
    with as_owner(bringing.home(path)):
        if bringing.finish(path):
            say("a backup that was being restored when something interrupted it is in place now")
    with _read(file) as stream:
        try:
            key = identity.read_text(errors="replace") if identity else None
            with as_owner(bringing.home(path)), bringing.opened(stream, key) as incoming:
                plan = bringing.plan(incoming, path)
                _may_be(plan, replace)
                with bringing.restoring(plan) as restoration:
                    with progress("reading", None if file == PIPE else os.fstat(stream.fileno()).st_size, octets=True) as step:
                        restoration.take(incoming, step)
                    _look(plan, restoration, unsound)
                    if not yes:
                        click.confirm("put it in place?", abort=True, err=True)
                    kept = plan.put_in_place(restoration, datetime.now(UTC))
        except (BackupUnusable, ValueError) as error:
            _give_up(f"{identity if isinstance(error, ValueError) else file}: {error}")
        except OSError as error:
            _give_up(f"{error.filename or file}: {error.strerror or error}")
    _tell(plan, kept)


@contextmanager
def _read(file: Path) -> Iterator[BufferedReader]:
    if file == PIPE:
        yield cast("BufferedReader", sys.stdin.buffer)
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        _give_up(f"{file}: {error.strerror}")
    with stream:
        yield stream


def _give_up(why: str) -> NoReturn:
    say(why, NOTHING)
    sys.exit(1)


def _may_be(plan: "Plan", replace: bool) -> None:
    from backupmx.safekeeping import bringing  # noqa: PLC0415

    if replace:
        return
    if plan.configured:
        _give_up(f"{plan.path}: is there already; with --replace it is kept aside, with users, tokens and recipients of today")
    if plan.label.mail and bringing.used(plan.spool):
        _give_up(f"{plan.spool}: mail has been here; with --replace it is kept aside, and is not delivered any more")


def _look(plan: "Plan", restoration: "Restoration", unsound: bool) -> None:
    """What it is; and of mail whether it is sound."""
    from backupmx.spool import exchange  # noqa: PLC0415

    say(f"of {plan.label.taken:%Y-%m-%d %H:%M:%S UTC}, by version {plan.label.program}", *told(plan.label))
    if not plan.label.mail:
        return
    with progress("verifying", restoration.messages) as step:
        sound, problems = tell_findings(restoration.findings(), step, as_json=False)
    say(f"sound: {messages(sound)}" + (f", problems: {problems}" if problems else ""))
    if problems and not unsound:
        _give_up("not all of it is sound; --unsound restores it all the same")
    say("what was delivered since then will be delivered again")
    if here := exchange.held(plan.spool):
        say(f"kept aside, and not delivered any more, is what is here now: {messages(here)}")


def _tell(plan: "Plan", kept: Path | None) -> None:
    say(f"{plan.path}: restored" + (f"; what was here before is in {kept}" if kept else ""))
    for file in plan.missing:
        say(f"{file}: is not here, was never ours, and is needed: put it there")
    for problem in _unfit(plan.path):
        say(f"before it can start: {problem}")
    say("now start it, as with `systemctl restart backupmx.socket backupmx`; and the page anew: `systemctl restart backupmx-web`")


def _unfit(path: Path) -> Sequence[str]:
    """What keeps the server from starting, as whoever serves sees it."""
    from backupmx import config, rehearsal  # noqa: PLC0415
    from backupmx.safekeeping import bringing  # noqa: PLC0415

    with as_owner(bringing.home(path)):
        try:
            return rehearsal.unfit(config.load(path))
        except ConfigurationError as error:
            return error.problems
