"""`backupmx recipients`: see and change what is known of recipients; whole lists are in a module of their own."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path

import rich_click as click

from backupmx.cli.lazy import LazyGroup
from backupmx.cli.options import asker, begun, config_option, json_option, server, settings
from backupmx.cli.progress import progress
from backupmx.cli.selection import parsed
from backupmx.cli.terminal import Column, say, show, show_json, show_table
from backupmx.control import listing
from backupmx.control.answers import Done, ListsAnswer, RecipientRow, Refused, Verified
from backupmx.control.handing import spelt, text_of
from backupmx.control.requests import ApproveList, ForgetRecipients, ListRecipients, VerifyRecipient
from backupmx.core import notation, words
from backupmx.core.belief import EVERYBODY, Word
from backupmx.core.path import mailbox
from backupmx.core.roster import EVERYONE, Entry, Roster, parse

AT_ONCE = 1000
"""Addresses in one request."""
COLUMNS = (Column("ADDRESS"), Column("WHAT IS KNOWN"), Column("SINCE"), Column("THE PRIMARY'S WORDS", whole=False))
UNCLEAR = "unclear"


class Recipients(LazyGroup):
    """Single addresses are here, whole lists in a module of their own."""

    places = {
        "list": "backupmx.cli.recipients:list_recipients",
        "verify": "backupmx.cli.recipients:verify",
        "forget": "backupmx.cli.recipients:forget",
        "import": "backupmx.cli.roster:import_list",
        "approve": "backupmx.cli.recipients:approve",
    }


@click.group(cls=Recipients)
@config_option
def recipients() -> None:
    """See and change which recipients are known."""


@click.command("list")
@click.argument("domain", required=False, callback=parsed(notation.domain), shell_complete=begun)
@click.option("--limit", type=click.IntRange(min=1), help="Show so many at most.")
@json_option
@config_option
def list_recipients(domain: str | None, limit: int | None, as_json: bool) -> None:
    """List what is known of addresses, of one domain or of all."""
    client = server()
    domains = [domain] if domain else list(settings().domains)
    found = islice((row for name in domains for row in client.recipients(ListRecipients(name, limit=limit or 0))), limit)
    if as_json:
        for row in found:
            show_json(listing.as_recipient(row))
        return
    count = 0

    def cells() -> Iterator[Sequence[str]]:
        nonlocal count
        for count, row in enumerate(found, 1):  # noqa: B007 - the last one stays
            yield _cells(row)

    show_table(COLUMNS, cells())
    if not count:
        say("nothing is known of any recipient yet")


@click.command("verify")
@click.argument("names", nargs=-1, required=True, metavar="FILE|-|ADDRESS...")
@json_option
@config_option
def verify(names: tuple[str, ...], as_json: bool) -> None:
    """Ask the primary for each address, those of a list too (exit 1: not every one is known)."""
    entries, trouble = _named(names)
    client = server()
    with progress("asking the primary", len(entries)) as step:
        for domain, local in entries:
            answer = client.ask(VerifyRecipient(domain, local))
            if isinstance(answer, Verified):
                word, said = answer.word, answer.said
            else:
                word, said = None, "; ".join(answer.problems) if isinstance(answer, Refused) else "no answer that fits"
            trouble = trouble or word is not Word.KNOWN
            if as_json:
                show_json({"address": f"{local}@{domain}", "word": word, "said": said})
            else:
                show(f"{local}@{domain}: {word or UNCLEAR}: {said}")
            sys.stdout.flush()
            step(1)
    sys.exit(1 if trouble else 0)


@click.command("forget")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@config_option
def forget(addresses: tuple[str, ...]) -> None:
    """Forget what the primary said of addresses; `@example.com` is its word on everybody. Lists stay."""
    domains: dict[str, list[str]] = {}
    for domain, local in (_address(text) for text in addresses):
        domains.setdefault(domain, []).append(local)
    client = server()
    forgotten, missed = 0, []
    for domain, locals_ in domains.items():
        left = iter(locals_)
        while part := tuple(islice(left, AT_ONCE)):
            answer = client.ask(ForgetRecipients(domain, part, asker()))
            if not isinstance(answer, Done):
                say(*getattr(answer, "problems", ()), f"forgotten before that: {words.addresses(forgotten)}")
                sys.exit(1)
            forgotten += len(answer.ids)
            missed += [f"{local}@{domain}" for local in part if not {local, spelt(local)} & {*answer.ids}]
    say(f"forgotten: {words.addresses(forgotten)}", *(f"{address}: nothing was known of it" for address in missed))
    sys.exit(1 if missed else 0)


@click.command("approve")
@click.argument("domain", callback=parsed(notation.domain), shell_complete=begun)
@config_option
def approve(domain: str) -> None:
    """Let a list count that waits because it lacks much of the one before it."""
    answer = server().ask(ApproveList(domain, asker()))
    if not isinstance(answer, ListsAnswer) or answer.lists.adopted is None:
        say(*getattr(answer, "problems", ("no answer that fits",)))
        sys.exit(1)
    say(f"{domain}: the list of {words.addresses(answer.lists.adopted.entries)} counts from now on")


def read_list(source: str, domain: str | None) -> Roster:
    """A list from a file, or from standard input; what stands there without a domain is of this one, or of the only one."""
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{source}: {error.strerror}", param_hint="FILE") from error
    domains = list(settings().domains)
    return parse(text_of(data), domain or (domains[0] if len(domains) == 1 else None))


def _named(names: Iterable[str]) -> tuple[list[Entry], bool]:
    """Which addresses are meant, each once; and whether there was trouble with any of the lists."""
    found: dict[Entry, None] = {}
    trouble = False
    for name in names:
        if name != "-" and mailbox(name.encode(errors="surrogateescape")):
            found[_address(name)] = None
            continue
        roster = read_list(name, None)
        say(*roster.problems)
        trouble = trouble or bool(roster.problems)
        for domain, local in sorted(roster.entries):
            if local == EVERYONE:
                say(f"{local}@{domain}: stands for everybody, and is not asked")
            else:
                found[domain, local] = None
    return list(found), trouble


def _address(text: str) -> Entry:
    """A domain and a local part; the empty one is everybody."""
    local, domain = text[:0], text[1:]
    if not text.startswith("@"):
        found = mailbox(text.encode(errors="surrogateescape"))
        if found is None:
            raise click.BadParameter(f"{text}: is no address", param_hint="ADDRESS")
        local, domain = found.local, found.domain
    try:
        return notation.domain(domain), local
    except ValueError as error:
        raise click.BadParameter(f"{text}: the domain {error}", param_hint="ADDRESS") from error


def _cells(row: RecipientRow) -> Sequence[str]:
    parts = [row.word.value] if row.word else []
    if row.local == EVERYBODY:
        parts = ["everybody is taken" if row.word is Word.KNOWN else "not everybody is taken"]
    parts += ["listed"] if row.listed else []
    since = words.span(timedelta(seconds=row.since_s)) if row.since_s is not None else "-"
    return listing.address(row), ", ".join(parts), since, row.said or "-"
