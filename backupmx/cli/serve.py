"""`backupmx serve`."""

import sys
from typing import Literal

import rich_click as click

from backupmx.cli.options import config_option, config_path


@click.command()
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The form of the log's lines."
)
@config_option
def serve(log_format: Literal["text", "json"]) -> None:
    """Take mail, hold it, give it back; until SIGTERM."""
    from backupmx import app  # noqa: PLC0415 - the whole server

    sys.exit(app.serve(config_path(), log_format))
