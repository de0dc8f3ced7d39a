"""`backupmx setup`: a new machine waits for somebody to set it up, or is told everything at once."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from backupmx.cli.options import config_option, config_path
from backupmx.cli.terminal import say, show

F = TypeVar("F", bound=Callable[..., Any])
PIPE, UNNAMED = Path("-"), Path("backupmx.toml")
EXIT_SET_UP = 1
EXIT_NOBODY_ANSWERS = 69
"""EX_UNAVAILABLE (sysexits.h): another time there may be an answer."""


def socket_option(command: F) -> F:
    """`--socket PATH`: there is no configuration yet that could say it."""
    return click.option(
        "--socket", type=click.Path(path_type=Path), metavar="PATH", help="The control socket; else that of every new machine."
    )(command)


@click.group()
@config_option
def setup() -> None:
    """Set a new machine up, which has no configuration yet."""


@setup.command("serve")
@click.option("--spool", type=click.Path(path_type=Path), metavar="DIRECTORY", help="Where mail will be; else /var/lib/backupmx.")
@socket_option
@config_option
def serve(spool: Path | None, socket: Path | None) -> None:
    """Wait until somebody sets this machine up on the page, or in any other way; for systemd.

    Other places than the usual ones are written into the configuration.
    """
    from backupmx.safekeeping import bringing  # noqa: PLC0415
    from backupmx.setup.configuration import Places  # noqa: PLC0415
    from backupmx.setup.serve import serve as wait  # noqa: PLC0415

    # a backup that was being restored when the power went brings the configuration
    bringing.finish(config_path())
    usual = Places()
    wait(Places(config_path(), (spool or usual.spool).absolute(), (socket or usual.socket).absolute()))


@setup.command("code")
@socket_option
@config_option
def code(socket: Path | None) -> None:
    """Print the one-time code that opens the set-up on the page.

    Exit 1: the machine is set up already; 69: nobody answers, as long as `backupmx setup serve` does not run.
    """
    from backupmx.control.answers import Text  # noqa: PLC0415
    from backupmx.control.client import ControlClient  # noqa: PLC0415
    from backupmx.control.requests import GetSetupCode  # noqa: PLC0415
    from backupmx.errors import ControlAbsent, ControlUnavailable  # noqa: PLC0415
    from backupmx.setup.claim import claimed  # noqa: PLC0415
    from backupmx.setup.configuration import Places  # noqa: PLC0415

    places = Places(config_path())
    try:
        answer = None if claimed(places) else ControlClient(socket or places.socket).ask(GetSetupCode())
    except ControlAbsent:
        say(f"{socket or places.socket}: nobody answers; is `backupmx setup serve` running?")
        sys.exit(EXIT_NOBODY_ANSWERS)
    except ControlUnavailable as error:
        say(str(error))
        sys.exit(EXIT_NOBODY_ANSWERS)
    if not isinstance(answer, Text):
        say("this machine is set up already")
        sys.exit(EXIT_SET_UP)
    show(answer.text)


@setup.command("apply")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE")
@config_option
def apply(file: Path) -> None:
    """Set this machine up with answers from a file, or from standard input (-).

    The file is a configuration with a table more: [setup], user = "admin", password = "…".
    All that is wrong in it is told at once (exit 78), and nothing is done; exit 1: the machine is set up already.
    """
    from backupmx.errors import AlreadySetUp, ConfigurationError  # noqa: PLC0415
    from backupmx.setup import prepared  # noqa: PLC0415
    from backupmx.setup.claim import claimed  # noqa: PLC0415
    from backupmx.setup.configuration import Places  # noqa: PLC0415

    path = config_path()
    if claimed(Places(path)):
        raise AlreadySetUp(f"{path}: is there already: this machine is set up")
    try:
        with click.open_file(str(file), "rb") as answers:
            content = answers.read()
    except OSError as error:
        raise ConfigurationError((f"{file}: cannot be read: {error.strerror}",)) from None
    prepared.apply(content, UNNAMED if file == PIPE else file, path)
    say(f"{path}: is written; this machine is set up")
