"""`backupmx domain`: the domains that are protected, and what is done about their primaries."""

import sys
from collections.abc import Iterator, Sequence

import rich_click as click

from backupmx.cli.lazy import LazyGroup
from backupmx.cli.options import asker, begun, config_option, json_option, server, settings
from backupmx.cli.selection import parsed
from backupmx.cli.terminal import Column, say, show, show_json, show_table
from backupmx.control.answers import Done
from backupmx.control.requests import Resume
from backupmx.core import notation

COLUMNS = (Column("DOMAIN"), Column("PRIMARY"), Column("WINDOW"), Column("WHILE IT IS UP"), Column("RECIPIENTS"))


class Domain(LazyGroup):
    """What changes the configuration file is in a module of its own."""

    places = {
        "list": "backupmx.cli.domain:list_domains",
        "add": "backupmx.cli.amend:add",
        "set": "backupmx.cli.amend:set_keys",
        "remove": "backupmx.cli.amend:remove",
        "resume": "backupmx.cli.domain:resume",
    }


@click.group(cls=Domain)
@config_option
def domain() -> None:
    """See and change the protected domains, and go on with one that was stopped."""


@click.command("list")
@json_option
@config_option
def list_domains(as_json: bool) -> None:
    """List the configured domains."""
    configured = settings().domains
    if as_json:
        for name, each in configured.items():
            show_json(
                {
                    "domain": name,
                    "primary": [str(host) for host in each.primary],
                    "holding_window_s": int(each.holding_window.total_seconds()),
                    "when_primary_up": each.when_primary_up,
                    "recipients": each.recipients,
                    "when_unknown": each.when_unknown,
                }
            )
        return

    def cells() -> Iterator[Sequence[str]]:
        for name, each in configured.items():
            primary = ", ".join(map(str, each.primary)) or "by its MX records"
            yield name, primary, notation.spell_duration(each.holding_window), each.when_primary_up, each.recipients

    show_table(COLUMNS, cells())


@click.command("resume")
@click.argument("domain", callback=parsed(notation.domain), shell_complete=begun)
@config_option
def resume(domain: str) -> None:
    """Go on giving mail to a primary that refuses what it used to accept: it is right, or right again."""
    answer = server().ask(Resume(domain, asker()))
    if not isinstance(answer, Done):
        say(*getattr(answer, "problems", ("no answer that fits",)))
        sys.exit(1)
    show(f"{domain}: what its primary says is believed again")
