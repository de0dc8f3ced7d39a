"""Answers that were written down before the machine was there: a configuration, and a table `[setup]` with the admin in it.

Knows: the form of such a file, and what is wrong with one, all at once.
Does not know: where it comes from, who removes it.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from backupmx import config
from backupmx.config import Settings
from backupmx.control.accounts import BAD_NAME
from backupmx.control.accounts import NAME as ACCOUNT
from backupmx.control.passwords import LONGEST, SHORTEST, hasher
from backupmx.errors import ConfigurationError
from backupmx.setup.claim import claim
from backupmx.setup.configuration import Places, own_name

TABLE = "setup"
EXAMPLE = '[setup] with the lines user = "admin" and password = "…"'
ODD = f"can only be read when it has a table {EXAMPLE}, by itself at the end"
_BOM = b"\xef\xbb\xbf"
"""What an editor may put before the first character (RFC 3629 section 6)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to become of the machine."""

    text: str
    """The configuration, without the table."""
    settings: Settings
    user: str
    password: str


def apply(content: bytes, label: Path, path: Path) -> None:
    """The machine is what the file says. Raises ConfigurationError with all that is wrong in it, AlreadySetUp, FileUnwritable.

    `label` is what people call the file, `path` where the configuration goes.
    """
    found = read(content, label)
    places = Places(path, found.settings.spool, found.settings.control.socket)
    claim(places, found.text, found.user, hasher().hash(found.password))


def read(content: bytes, label: Path) -> Prepared:
    """What it says. Raises ConfigurationError with all that is wrong in it."""
    octets = content.removeprefix(_BOM).replace(b"\r\n", b"\n")
    try:
        everything = tomllib.loads(octets.decode())
    except ValueError:
        config.read(octets, label)  # tells where it is wrong
        raise
    admin = everything.pop(TABLE, None)
    problems = [f"{label}: {problem}" for problem in (*_of_admin(admin), *_of_name(everything))]
    text = _without(octets.decode(), everything)
    if text is None:
        raise ConfigurationError((f"{label}: {ODD}", *problems))
    try:
        settings = config.read(text.encode(), label)
    except ConfigurationError as error:
        raise ConfigurationError((*error.problems, *problems)) from None
    if problems or not isinstance(admin, dict):
        raise ConfigurationError(tuple(problems))
    return Prepared(text, settings, admin["user"], admin["password"])


def _of_admin(admin: Any) -> Iterator[str]:
    if not isinstance(admin, dict):
        yield f"{TABLE}: the admin of the page is missing: {EXAMPLE}"
        return
    for key in admin.keys() - {"user", "password"}:
        yield f"{TABLE}.{key}: is not known; there are user and password"
    user, password = admin.get("user"), admin.get("password")
    if not isinstance(user, str) or not ACCOUNT.fullmatch(user):
        yield f'{TABLE}.user: must be a name, like "admin": {BAD_NAME}'
    if not isinstance(password, str) or not SHORTEST <= len(password) <= LONGEST:
        yield f"{TABLE}.password: must have at least {SHORTEST} characters, and at most {LONGEST}, in quotes"


def _of_name(everything: dict[str, Any]) -> Iterator[str]:
    if "hostname" not in everything and own_name() is None:
        yield 'hostname: is missing, and this machine has no full name of its own: hostname = "mx2.example.net"'


def _without(text: str, wanted: dict[str, Any]) -> str | None:
    """The text without the table; None where that cannot be cut out."""
    try:
        document = tomlkit.parse(text)
        document.pop(TABLE, None)
        rest = tomlkit.dumps(document)
        return rest if tomllib.loads(rest) == wanted else None
    except (TOMLKitError, ValueError):
        return None
