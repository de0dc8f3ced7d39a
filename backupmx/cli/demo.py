"""`backupmx demo`."""

import sys

import rich_click as click


@click.command()
@click.option("--once", is_flag=True, help="End after the story, with exit status 0 when no mail was lost.")
def demo(once: bool) -> None:
    """Tell the story of an outage: a stand-in primary, real mail, the real server and page."""
    from backupmx.demo.story import run  # noqa: PLC0415 - the whole server

    sys.exit(run(once))
