"""What a domain's keys are to be: `KEY=VALUE`, `--primary` and `--unset`, in every command that takes them."""

import functools
import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
R = TypeVar("R")
Wishes = dict[str, str]
"""Of each key what was typed for it; nothing for one that is to be taken away."""


def wishes(command: Callable[..., R]) -> Callable[..., R]:
    """The argument and options; the command gets them as one `wanted`."""

    @click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...")
    @click.option("--primary", "primaries", metavar="HOST", multiple=True, help="Where mail goes; again for the next best host.")
    @click.option("--unset", metavar="KEY", multiple=True, help="Take a key away, so that its default holds.")
    @functools.wraps(command)
    def with_wishes(changes: tuple[str, ...], primaries: tuple[str, ...], unset: tuple[str, ...], **kwargs: Any) -> R:
        typed = [tuple(map(str.strip, change.partition("="))) for change in changes]
        typed += [(key, "=", "") for key in unset]
        if primaries:
            typed.insert(0, ("primary", "=", json.dumps(primaries)))
        wanted: Wishes = {}
        for key, equals, text in typed:
            if not equals or not KEY.fullmatch(key):
                raise click.UsageError(f'"{key}": give it as KEY=VALUE, like holding_window=21d or ldap.url=ldaps://…')
            if key in wanted:
                raise click.UsageError(f"{key} is given twice")
            wanted[key] = text
        return command(wanted=wanted, **kwargs)

    return with_wishes
