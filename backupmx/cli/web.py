"""`backupmx web`."""

import rich_click as click

from backupmx.cli.options import config_option, config_path


@click.command()
@config_option
def web() -> None:
    """Show the status page, in a process of its own."""
    from backupmx import config  # noqa: PLC0415 - not needed for --help

    path = config_path()
    if path == config.DEFAULT_PATH and not path.exists():
        # a new machine, which is set up on the page
        page, control = config.Web(), config.Control()
    else:
        found = config.load(path, serving=False)
        page, control = found.web, found.control
    from webui.serve import run  # noqa: PLC0415 - Flask and gunicorn

    # what a file says holds; else whoever opened sockets for us has chosen
    run(page.listen, control.socket, elsewhere="listen" not in page.model_fields_set)
