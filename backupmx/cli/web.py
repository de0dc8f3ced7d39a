"""`backupmx web`."""

import rich_click as click

from backupmx.cli.options import config_option, settings


@click.command()
@config_option
def web() -> None:
    """Show the status page, in a process of its own."""
    found = settings()
    from webui.serve import run  # noqa: PLC0415 - Flask and gunicorn

    run(found.web.listen, found.control.socket)
