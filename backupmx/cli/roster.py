"""`backupmx recipients import`: put a domain's whole list in place, from a file or from a directory."""

import asyncio
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rich_click as click

from backupmx.cli.options import asker, begun, config_option, server, settings
from backupmx.cli.progress import progress
from backupmx.cli.recipients import read_list
from backupmx.cli.selection import parsed
from backupmx.cli.terminal import say
from backupmx.control import handing
from backupmx.control.answers import AnyAnswer, Refused
from backupmx.control.client import ControlClient
from backupmx.control.requests import AnyRequest, Enlist, ListRecipients
from backupmx.core import notation, words
from backupmx.core.roster import Roster

DIRECTORIES = ("ldap://", "ldaps://")
FEW = 5
"""Domains named in one line."""


@dataclass(frozen=True, slots=True)
class Search:
    """How a directory is asked; None and nothing where it asks as it likes."""

    base: str | None = None
    filter: str | None = None
    attributes: tuple[str, ...] = ()
    bind_dn: str = ""
    password_stdin: bool = False
    ca_file: Path | None = None


def _search(command: Callable[..., None]) -> Callable[..., None]:
    """The options for a directory; the command gets them as one `search`."""

    @click.option("--base", help="Directory: where the search begins, like dc=example,dc=com.")
    @click.option("--filter", "filter_", help="Directory: which entries count; else those with an address.")
    @click.option("--attribute", "attributes", multiple=True, help="Directory: what holds addresses; else mail, proxyAddresses.")
    @click.option("--bind-dn", default="", help="Directory: who asks; else nobody in particular.")
    @click.option("--password-stdin", is_flag=True, help="Directory: the password is the first line of standard input.")
    @click.option("--ca-file", type=click.Path(path_type=Path), help="Directory: who may have signed its certificate.")
    @functools.wraps(command)
    def with_search(
        *args: Any,
        base: str | None,
        filter_: str | None,
        attributes: tuple[str, ...],
        bind_dn: str,
        password_stdin: bool,
        ca_file: Path | None,
        **kwargs: Any,
    ) -> None:
        command(*args, search=Search(base, filter_, attributes, bind_dn, password_stdin, ca_file), **kwargs)

    return with_search


@click.command("import")
@click.argument("source", metavar="FILE|-|ldap://HOST|ldaps://HOST")
@click.option(
    "--domain",
    callback=parsed(notation.domain),
    shell_complete=begun,
    help="Of this domain alone, and names without a domain are of it.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_search
@config_option
def import_list(source: str, domain: str | None, dry_run: bool, yes: bool, search: Search) -> None:
    """Put a whole list in the place of today's: one address or *@domain a line, a Postfix map, a table, or a directory."""
    if (source == "-" or search.password_stdin) and not (yes or dry_run):
        raise click.UsageError("standard input is taken: --yes or --dry-run must answer what would be asked")
    if source.lower().startswith(DIRECTORIES):
        roster = _from_directory(source, domain, search)
    elif search != Search():
        raise click.UsageError("these options are for a directory: ldap://… or ldaps://…")
    else:
        roster = read_list(source, domain)
    say(*roster.problems)
    found = _by_domain(roster, domain)
    if not found or handing.faults(roster) > len(roster.entries):
        say("nothing is changed: " + ("more lines are problems than addresses" if found else "there is no address in the list"))
        sys.exit(1)
    client = server()
    for name, locals_ in found.items():
        _compare(client, name, locals_)
    if dry_run:
        sys.exit(1 if roster.problems else 0)
    if not yes:
        click.confirm(f"put {'these lists' if len(found) > 1 else 'this list'} in place?", abort=True, err=True)
    # each domain for itself: what is wrong with one is no fault of the others
    done = [_hand_in(client, name, locals_) for name, locals_ in found.items()]
    sys.exit(0 if all(done) and not roster.problems else 1)


def _by_domain(roster: Roster, only: str | None) -> dict[str, set[str]]:
    """The local parts of each domain of ours, or of the one that is meant; it is told what is left out."""
    found: dict[str, set[str]] = {}
    for domain, local in roster.entries:
        found.setdefault(domain, set()).add(handing.spelt(local))
    ours = {only} if only else set(settings().domains)
    others = sorted(set(found) - ours)
    if others:
        count = sum(len(found.pop(name)) for name in others)
        named = ", ".join(others[:FEW]) + (f" and {len(others) - FEW} more" if len(others) > FEW else "")
        say(f"left out: {words.addresses(count)} of {named}")
    return dict(sorted(found.items()))


def _compare(client: ControlClient, domain: str, new: set[str]) -> None:
    today = {row.local for row in client.recipients(ListRecipients(domain)) if row.listed}
    say(f"{domain}: {words.addresses(len(new))}: {len(new - today):,} come, {len(today - new):,} go")


def _hand_in(client: ControlClient, domain: str, locals_: set[str]) -> bool:
    """Whether this list counts from now on."""
    with progress(f"handing in {domain}", len(locals_)) as step:

        def ask(request: AnyRequest) -> AnyAnswer:
            answer = client.ask(request)
            step(len(request.locals) if isinstance(request, Enlist) else 0)
            return answer

        lists = handing.hand_in(ask, domain, sorted(locals_), asker())
    if isinstance(lists, Refused):
        say(*(f"{domain}: {problem}" for problem in lists.problems))
        return False
    if lists.waiting:
        say(handing.lacking(domain, lists))
        return False
    say(f"{domain}: {words.addresses(handing.newest(lists).entries)} listed")
    return True


def _from_directory(url: str, domain: str | None, search: Search) -> Roster:
    from backupmx.recipients.ldap import Directory, Unavailable, fetch  # noqa: PLC0415 - few have a directory

    domains = list(settings().domains)
    name = domain or (domains[0] if len(domains) == 1 else None)
    if name is None or search.base is None:
        raise click.UsageError("a directory is asked with --base, and with --domain where there are several")
    password = sys.stdin.readline().rstrip("\r\n") if search.password_stdin else ""
    try:
        plain = Directory(url, search.base, bind_dn=search.bind_dn, password=password, ca_file=search.ca_file)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="SOURCE") from error
    directory = replace(plain, filter=search.filter or plain.filter, attributes=search.attributes or plain.attributes)
    found = asyncio.run(fetch(directory, name))
    if isinstance(found, Unavailable):
        say(f"{url}: {found.why}", "nothing is changed")
        sys.exit(1)
    return found
