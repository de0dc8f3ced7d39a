"""What a domain's keys are to be: `KEY=VALUE`, `--primary` and `--unset`, in every command that takes them."""

import functools
import json
import re
import tomllib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import rich_click as click

KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
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


def value(key: str, text: str) -> Any:
    """As the file has it. Lists are typed with commas; as in TOML, with its quotes or brackets, is possible too."""
    from backupmx.config import Domain, Ldap  # noqa: PLC0415 - not needed for --help

    if text[0] in ("'", '"', "["):
        with suppress(tomllib.TOMLDecodeError):
            # as one line, so that it cannot be more than one value
            return tomllib.loads("value = " + text.replace("\n", " "))["value"]
    fields = Domain.model_fields | {f"ldap.{name}": field for name, field in Ldap.model_fields.items()}
    default = fields[key].default if key in fields else None
    if isinstance(default, tuple):
        return [part.strip() for part in text.split(",")]
    if isinstance(default, bool | None):
        return TRUTHS.get(text.lower(), text)
    if isinstance(default, int) and text.isascii() and text.isdecimal():
        return int(text)
    return text
