"""`backupmx reload`."""

import sys

import rich_click as click

from backupmx.cli.options import config_option, server
from backupmx.cli.terminal import say


@click.command()
@config_option
def reload() -> None:
    """Apply the changed configuration; when something is wrong with it, the old one stays in force (exit 1)."""
    from backupmx.control.answers import Refused  # noqa: PLC0415
    from backupmx.control.requests import Reload  # noqa: PLC0415

    answer = server().ask(Reload())
    if isinstance(answer, Refused):
        say(*answer.problems, "the old configuration stays in force")
        sys.exit(1)
    say("the configuration is being applied")
