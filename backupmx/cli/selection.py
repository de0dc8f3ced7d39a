"""Which messages are meant: ids, or the filters that every queue command takes."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import rich_click as click

from backupmx.cli.options import begun
from backupmx.core import notation
from backupmx.core.message import State
from backupmx.core.queue import Filter

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Meant:
    """What an acting command is to act on; without ids the filter counts, and an empty filter means every message."""

    ids: tuple[str, ...]
    wanted: Filter
    dry_run: bool
    yes: bool


def parsed(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback for what an option or argument was given; what cannot be read is a usage error."""

    def convert(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return convert


def filters(command: Callable[..., R]) -> Callable[..., R]:
    """The filter options; the command gets them as one `wanted`."""

    @click.option("--domain", callback=parsed(notation.domain), shell_complete=begun, help="Recipients in this domain.")
    @click.option("--sender", help="The sender's address, or a part of it.")
    @click.option("--recipient", help="A recipient's address, or a part of it.")
    @click.option("--subject", help="The subject as a person reads it, or a part of it.")
    @click.option("--state", type=click.Choice([state.value for state in State]))
    @click.option(
        "--older-than", metavar="TIME", callback=parsed(notation.duration), help='Arrived longer ago than "30m", "5h", "2d".'
    )
    @functools.wraps(command)
    def with_filter(
        *args: Any,
        domain: str | None,
        sender: str | None,
        recipient: str | None,
        subject: str | None,
        state: str | None,
        older_than: timedelta | None,
        **kwargs: Any,
    ) -> R:
        before = datetime.now(UTC) - older_than if older_than is not None else None
        wanted = Filter(domain, sender, recipient, State(state) if state else None, before, subject)
        return command(*args, wanted=wanted, **kwargs)

    return with_filter


def selection(command: Callable[..., R]) -> Callable[..., R]:
    """Ids, filters, `--all`; the command gets them as `ids` and `wanted`. Nothing selected is a usage error."""

    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @filters
    @click.option("--all", "everything", is_flag=True, help="Every message.")
    @functools.wraps(command)
    def with_selection(ids: tuple[str, ...], wanted: Filter, everything: bool, **kwargs: Any) -> R:
        filtered = everything or wanted != Filter()
        if ids and filtered:
            raise click.UsageError("give ids or a filter, not both")
        if not ids and not filtered:
            raise click.UsageError("name messages by ids or by a filter; --all means every message")
        return command(ids=ids, wanted=wanted, **kwargs)

    return with_selection


def meaning(command: Callable[..., R]) -> Callable[..., R]:
    """A selection, `--dry-run`, `--yes`; the command gets them as one `meant`."""

    @selection
    @click.option("--dry-run", is_flag=True, help="Only list what is meant.")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @functools.wraps(command)
    def with_meaning(ids: tuple[str, ...], wanted: Filter, dry_run: bool, yes: bool, **kwargs: Any) -> R:
        return command(meant=Meant(ids, wanted, dry_run, yes), **kwargs)

    return with_meaning
