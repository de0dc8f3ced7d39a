"""`backupmx spool`: how full the store is, and whether it is sound."""

import sys

import rich_click as click

from backupmx.cli.options import config_option, json_option, server, settings
from backupmx.cli.terminal import say, show, show_json


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
    from backupmx.core import words  # noqa: PLC0415

    answer = server().ask(GetSpoolStats())
    if not isinstance(answer, SpoolStatsAnswer):
        say(*(answer.problems if isinstance(answer, Refused) else ("no answer that fits",)))
        sys.exit(1)
    found = answer.stats
    if as_json:
        show_json(found)
        return
    show(f"layout: {found.layout}")
    show(f"in use: {words.size(found.map_used)} of a map of {words.size(found.map_size)}")
    show(f"file: {words.size(found.file_size)}")
    show(f"disk free: {words.size(found.disk_free)}, of which {words.size(found.reserve)} are never used")
    show(f"room for mail: {words.size(found.room)}")
    show(f"coming in now: {words.messages(found.unfinished)}")


@spool.command("verify")
@json_option
@config_option
def verify(as_json: bool) -> None:
    """Read every message and compare it with its digest, with or without a running server (exit 1: something is wrong)."""
    from backupmx import app  # noqa: PLC0415 - the store

    messages, problems = 0, 0
    for finding in app.verify_spool(settings()):
        messages += finding.id is not None and finding.problem is None
        if finding.problem is None:
            continue
        problems += 1
        if as_json:
            show_json(finding)
        else:
            show(f"{finding.id or 'indexes'}: {finding.problem}")
    say(f"{messages} sound, problems: {problems}" if problems else f"the spool is sound, messages: {messages}")
    sys.exit(1 if problems else 0)
