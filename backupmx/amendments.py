"""A domain in the configuration file, seen and changed on somebody's wish: on the command line, or on the page.

Knows: which keys a domain has, how values are typed, that some are `reserved`.
Does not know: who asks, how the file is changed (`revision`), how the processes take it.

Who may change domains on the page need not be somebody on this machine: what names a file of it, or could have a secret sent to
another host, is left to those who are.
"""

import base64
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from backupmx import config, languages, problems
from backupmx.config import Domain, DomainDefaults, Ldap, Settings
from backupmx.core import notation
from backupmx.core.amendment import Amended, Change, Fault, Outline, Setting, Sheet
from backupmx.draft import Draft
from backupmx.errors import ConfigurationError, ConfigurationUnchanged
from backupmx.reserved import BY_HAND, GUARDED, LDAP
from backupmx.revision import Revision, digest, hindrance, revising

Wishes = Mapping[str, str]
"""Of each key what was typed for it; nothing for one that is to be taken away."""
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
NOT_FROM_AFAR = "can only be set on the machine itself: backupmx domain set"
CHANGED_MEANWHILE = "somebody changed the file meanwhile; look at what it says now, and try again"


class Amendments:
    """For the server: the file, and what its processes go by."""

    def __init__(self, path: Path, settings: Settings, take: Callable[[], tuple[str, ...]]) -> None:
        """`settings` are in force; `take` has a changed file taken, and returns what is wrong with it."""
        self._path = path
        self._settings = settings
        self._take = take

    def outlines(self) -> tuple[Outline, ...]:
        """All domains, as they are in force."""
        domains = self._settings.domains.items()
        return tuple(Outline(name, tuple(map(str, each.primary)), each.recipients) for name, each in domains)

    def sheet(self, domain: str) -> Sheet:
        """What the file says of a domain; where it cannot be read, what is in force."""
        why, octets, read = hindrance(self._path), b"", self._settings
        try:
            octets = config.octets(self._path)
            read = config.read(octets, self._path, serving=False)
        except ConfigurationError as error:
            why = str(error)
        found, running = read.domains.get(domain), self._settings.domains.get(domain)
        settings = tuple(_settings(found or Domain(), read.defaults, found is not None))
        return Sheet(domain, found is not None, found == running, settings, digest(octets), why)

    def amend(self, change: Change, domain: str, wanted: Wishes, made_from: str, *, dry_run: bool) -> Amended:
        """Change the file and have it taken, or tell what is wrong; raises ConfigurationUnchanged. Waits for who else is at it.

        `made_from` is the digest of the file that the wishes were made from.
        """
        with revising(self._path) as revision:
            if revision.digest != made_from:
                raise ConfigurationUnchanged(CHANGED_MEANWHILE)
            present = self._settings.domains.get(domain)
            if faults := tuple(Fault(key, NOT_FROM_AFAR) for key in wanted if not _open(key, present, revision.draft, domain)):
                return Amended(faults=faults)
            try:
                edit(revision.draft, change, domain, wanted)
                revision.checked()
            except ConfigurationError as error:
                return Amended(faults=tuple(problems.fault(problem, self._path, domain) for problem in error.problems))
            difference = tuple(revision.difference())
            if difference and not dry_run:
                revision.put_in_place()
                self._have_it_taken(revision)
            return Amended(difference)

    def _have_it_taken(self, revision: Revision) -> None:
        if wrong := self._take():
            revision.put_back()
            raise ConfigurationUnchanged("; ".join(wrong))


def edit(draft: Draft, change: Change, domain: str, wanted: Wishes) -> None:
    """Do it in a draft. Raises ConfigurationUnchanged."""
    if change is Change.ADD and draft.has(domain):
        raise ConfigurationUnchanged(f"{domain}: is there already")
    if change is not Change.ADD and not draft.has(domain):
        raise ConfigurationUnchanged(f"{domain}: is not configured")
    if change is Change.REMOVE:
        draft.drop(domain)
        return
    if change is Change.ADD:
        draft.add(domain)
    for key, text in wanted.items():
        path = tuple(key.split("."))
        if text:
            draft.put(domain, path, value(key, text))
        else:
            draft.drop(domain, path)


def value(key: str, text: str) -> Any:
    """As the file has it. Lists are typed with commas; as in TOML, with its quotes or brackets, is possible too."""
    if text[0] in ("'", '"', "["):
        with suppress(tomllib.TOMLDecodeError):
            # as one line, so that it cannot be more than one value
            return tomllib.loads("value = " + text.replace("\n", " "))["value"]
    fields = Domain.model_fields | {f"{LDAP}.{name}": field for name, field in Ldap.model_fields.items()}
    default = fields[key].default if key in fields else None
    if isinstance(default, tuple):
        return [part.strip() for part in text.split(",")]
    if isinstance(default, bool | None):
        return TRUTHS.get(text.lower(), text)
    if isinstance(default, int) and text.isascii() and text.isdecimal():
        return int(text)
    return text


# What may be set, and by whom


def _open(key: str, present: Domain | None, draft: Draft, domain: str) -> bool:
    """Whether a key may be set from afar."""
    secret = (present is not None and present.primary_password_file is not None) or draft.says(domain, "primary_password_file")
    return key in Domain.model_fields and key not in BY_HAND and not (secret and key in GUARDED)


def _settings(domain: Domain, defaults: DomainDefaults, there: bool) -> Iterator[Setting]:
    """Every key of a domain, the primary's first."""
    secret = domain.primary_password_file is not None
    for key, field in sorted(Domain.model_fields.items(), key=lambda item: item[0] in DomainDefaults.model_fields):
        if key == LDAP:
            continue
        own = _typed(getattr(domain, key), quoted=True) if there and key in domain.model_fields_set else None
        default = _typed(getattr(defaults, key, field.default))
        yield Setting(key, own, default, _choices(key, field), key in BY_HAND or (secret and key in GUARDED))
    if domain.ldap:
        for key, field in Ldap.model_fields.items():
            own = _typed(getattr(domain.ldap, key), quoted=True) if key in domain.ldap.model_fields_set else None
            yield Setting(f"{LDAP}.{key}", own, "" if field.is_required() else _typed(field.default), by_hand=True)


def _choices(key: str, field: FieldInfo) -> tuple[str, ...]:
    if key == "language":
        return languages.known()
    if field.annotation is bool or bool in get_args(field.annotation):
        return ("true", "false")
    return tuple(each for each in get_args(field.annotation) if isinstance(each, str))


def _typed(value: Any, *, quoted: bool = False) -> str:
    """As one would type it; what is empty on purpose in quotes, where `quoted`."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case timedelta():
            return notation.spell_duration(value)
        case bytes():
            return base64.b64encode(value).decode()
        case tuple() if not isinstance(value, notation.Mailhost):
            return ", ".join(map(_typed, value)) or ("[]" if quoted else "")
        case _:
            return os.fspath(value) if isinstance(value, Path) else str(value) or ('""' if quoted else "")
