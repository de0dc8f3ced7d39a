"""`backupmx domain add|set|remove`: the configuration file is changed, and the running server takes it."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click

from backupmx.cli.options import asker, config_option, config_path
from backupmx.cli.selection import parsed
from backupmx.cli.terminal import say, show
from backupmx.cli.wishes import Wishes, wishes
from backupmx.control.answers import AnyAnswer, Done, Refused, StatusAnswer
from backupmx.control.client import ControlClient
from backupmx.control.requests import AnyRequest, GetStatus, Reload
from backupmx.core import notation, words
from backupmx.core.amendment import Change
from backupmx.core.status import Status
from backupmx.errors import BackupMXError, ControlAbsent, ControlUnavailable

if TYPE_CHECKING:
    from backupmx.config import Settings
    from backupmx.draft import Draft
    from backupmx.revision import Revision

PATIENCE_S = 60.0
"""How long a server that runs may not answer: it waits for transactions to end before its processes are replaced."""
ROUND_S = 0.2
dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would change in the file.")
domain_argument = click.argument("domain", callback=parsed(notation.domain))


@click.command("add")
@domain_argument
@wishes
@dry_run_option
@config_option
def add(domain: str, wanted: Wishes, dry_run: bool) -> None:
    """Protect one more domain.

    Each key of a domain's table in the configuration may be given, like `primary=mail.example.com` or `ldap.url=ldaps://…`;
    lists with commas. Without `primary` mail goes to the MX hosts that are better than this one.
    """

    def edit(draft: "Draft") -> None:
        _stop_if(draft.has(domain), f"{domain}: is there already; change it with: backupmx domain set {domain} KEY=VALUE")
        _edit(draft, Change.ADD, domain, wanted)

    _amend(f"domain add {domain} {_spelt(wanted)}", edit, dry_run)


@click.command("set")
@domain_argument
@wishes
@dry_run_option
@config_option
def set_keys(domain: str, wanted: Wishes, dry_run: bool) -> None:
    """Change what holds for a domain.

    `primary=new.example.net:25` diverts its mail, that which waits too; `holding_window=21d` keeps it for longer.
    `KEY=` takes a key away, so that the default holds; quotes as in the file make a value that is empty: `KEY='""'`.
    """
    if not wanted:
        raise click.UsageError("give KEY=VALUE, like holding_window=21d")

    def edit(draft: "Draft") -> None:
        _stop_if(not draft.has(domain), f"{domain}: is not configured; add it with: backupmx domain add {domain}")
        _edit(draft, Change.SET, domain, wanted)

    _amend(f"domain set {domain} {_spelt(wanted)}", edit, dry_run)


@click.command("remove")
@domain_argument
@dry_run_option
@click.option("--yes", is_flag=True, help="Also while mail for it is here.")
@config_option
def remove(domain: str, dry_run: bool, yes: bool) -> None:
    """Protect a domain no longer; take it out of the DNS first, for its mail is refused from now on."""

    def edit(draft: "Draft") -> None:
        _stop_if(not draft.has(domain), f"{domain}: is not configured")
        _edit(draft, Change.REMOVE, domain, {})

    def consider(status: Status | None) -> None:
        if warning := _left_behind(domain, status):
            say(warning)
            _stop_if(not (yes or dry_run), "nothing was changed; --yes removes the domain all the same")

    _amend(f"domain remove {domain}", edit, dry_run, consider)


def _edit(draft: "Draft", change: Change, domain: str, wanted: Wishes) -> None:
    from backupmx import amendments  # noqa: PLC0415 - the settings are not needed for --help

    amendments.edit(draft, change, domain, wanted)


def _spelt(wanted: Wishes) -> str:
    return " ".join(f"{key}={text}" for key, text in wanted.items())


def _left_behind(domain: str, status: Status | None) -> str | None:
    """What becomes of the mail that is here for a domain that is to go."""
    stays = (
        "it is not lost: it stays in the spool, and nobody tries to deliver it and no holding window ends for it "
        "until the domain is added again"
    )
    if status is None:
        return f"{domain}: no server answers that could tell whether mail for it is here. If there is any, {stays}"
    for found in status.domains:
        if found.domain == domain and (count := found.messages + found.held + found.quarantined + found.damaged):
            return f"{domain}: {words.messages(count)} for it in the spool. If you remove it, {stays}"
    return None


def _amend(
    what: str, edit: Callable[["Draft"], None], dry_run: bool, consider: Callable[[Status | None], None] | None = None
) -> None:
    """Change the file, unless `consider` ends it all, which is told what the server holds; then have the server take it."""
    from backupmx.revision import revising  # noqa: PLC0415

    with revising(config_path()) as revision:
        edit(revision.draft)
        settings = revision.checked()
        if not revision.changed:
            say("nothing to change: the file says so already")
            return
        # asked first in any case: whoever may not ask it should not leave a file behind that it does not know of
        status = _status(settings) if consider or not dry_run else None
        if consider:
            consider(status)
        if dry_run:
            for line in revision.difference():
                show(line)
            return
        revision.put_in_place()
        _have_it_taken(revision, settings, what.strip())


def _status(settings: "Settings") -> Status | None:
    answer = _ask(settings, GetStatus())
    if answer is None:
        return None
    if isinstance(answer, StatusAnswer):
        return answer.status
    say(*getattr(answer, "problems", ("no answer that fits",)))
    sys.exit(1)


def _have_it_taken(revision: "Revision", settings: "Settings", what: str) -> None:
    try:
        answer = _ask(settings, Reload(asker(), what))
    except ControlUnavailable as error:
        say(str(error), "the file is changed; whether the server has taken it is not known: backupmx reload")
        sys.exit(1)
    if isinstance(answer, Done):
        say("the change is in the file, and is being applied")
    elif answer is None:
        say(f"the change is in the file; no server answers at {settings.control.socket}: it holds from the next start on")
    else:
        say(*(answer.problems if isinstance(answer, Refused) else ("no answer that fits",)))
        _put_back(revision)


def _put_back(revision: "Revision") -> None:
    try:
        revision.put_back()
    except BackupMXError as error:
        say(str(error), "the old configuration stays in force, but the file has the change that the server refuses")
    else:
        say("the old configuration stays in force, and the file is as it was")
    sys.exit(1)


def _ask(settings: "Settings", request: AnyRequest) -> AnyAnswer | None:
    """None when no server runs; while one is just reloading it is waited for. Raises ControlUnavailable."""
    client = ControlClient(settings.control.socket)
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return client.ask(request)
        except ControlAbsent:
            from backupmx import app  # noqa: PLC0415 - the store

            if not app.runs(settings):
                return None
            if time.monotonic() > until:
                raise
            time.sleep(ROUND_S)


def _stop_if(no: bool, why: str) -> None:
    if no:
        say(why)
        sys.exit(1)
