"""Who may sign in to the page, and which tokens open the API: one small file beside the mail.

Knows: the file (JSON, 0600, replaced whole and synced), its users, digests of tokens; that an admin is left where one must be.
Does not know: sessions, roles' rights, who asks.
"""

import fcntl
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from backupmx import durable
from backupmx.control import second
from backupmx.control.second import Second
from backupmx.errors import AccountsUnusable
from backupmx.owner import as_owner

TOKEN_PREFIX = "bmx_"  # noqa: S105 - what every token begins with, so that a leaked one is recognised
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
TAKEN = "there is one of this name already"
UNKNOWN = "there is none of this name"
LAST_ADMIN = "the last admin must stay one"
BAD_NAME = "a name is made of letters, digits and . _ @ + -, at most 64 of them"
LAYOUT = 2
"""Of the file; 1 knew no second factor, and is read as well."""


class Role(StrEnum):
    """What a user of the page may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a token opens, and nothing beside it."""

    READ = "read"
    RECIPIENTS = "recipients"
    """To put a domain's list of recipients in place: for the primary itself, which need read nothing."""
    ACT = "act"
    """To move messages as an operator may, and to read, for who moves them must see them."""


class User(Struct, frozen=True, omit_defaults=True):
    """One who may sign in."""

    name: str
    role: Role
    password_hash: str
    second: Second | None = None
    """Asked for after the password, where there is one."""


class Token(Struct, frozen=True, omit_defaults=True):
    """One key to the API; the token itself is not kept."""

    name: str
    created: datetime
    sha256: str
    scope: Scope = Scope.READ
    """Not in the file for those that read: so it was before there were others."""


class _File(Struct, frozen=True):
    version: int = LAYOUT
    users: tuple[User, ...] = ()
    tokens: tuple[Token, ...] = ()


class Accounts:
    """The accounts file; read anew whenever it changed. Every method raises AccountsUnusable when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # one thing, for several threads read: which file it was, and what stood in it
        self._known: tuple[tuple[int, int, int] | None, _File] = (None, _File())

    def users(self) -> tuple[User, ...]:
        """All users, by name."""
        return self._read().users

    def find(self, name: str) -> User | None:
        """One user."""
        return _named(self.users(), name)

    def set_user(self, name: str, role: Role, password: str) -> bool:
        """Add a user, or give one a new role and password; returns whether the user is new. Raises ValueError for a bad name."""
        _check(name)
        from backupmx.control.passwords import hasher  # noqa: PLC0415 - the server keeps hashes, and makes none

        hashed = hasher().hash(password)
        with self._changing() as (content, write):
            found = _named(content.users, name)
            write(_with(content, replace(found or User(name, role, hashed), role=role, password_hash=hashed)))
        return found is None

    def add_user(self, name: str, role: Role, password_hash: str) -> str:
        """Add a user; returns why not, in words, or nothing. Raises ValueError for a bad name."""
        _check(name)
        with self._changing() as (content, write):
            if _named(content.users, name):
                return TAKEN
            write(_with(content, User(name, role, password_hash)))
        return ""

    def begin(self, name: str, password_hash: str) -> None:
        """One admin, and nobody and nothing else: a machine changes hands. Raises ValueError for a bad name."""
        _check(name)
        with self._changing() as (_, write):
            write(_File(users=(User(name, Role.ADMIN, password_hash),)))

    def change_user(self, name: str, change: Callable[[User], User | None]) -> str:
        """Give a user another role, password or second factor, or none of them (None); returns why not, in words, or nothing.

        An admin is left where there was one: the page has no other way back in. Who has the file has.
        """
        with self._changing() as (content, write):
            found = _named(content.users, name)
            if found is None:
                return UNKNOWN
            changed = change(found)
            after = _with(content, changed) if changed else _without(content, name)
            if _admins(content) and not _admins(after):
                return LAST_ADMIN
            write(after)
        return ""

    def spend_code(self, name: str, code: str, now: datetime) -> bool:
        """Whether this code of a user's second factor counts; it does not a second time."""
        with self._changing() as (content, write):
            user = _named(content.users, name)
            left = second.spent(user.second, code, now) if user and user.second else None
            if user and left:
                write(_with(content, replace(user, second=left)))
        return left is not None

    def remove_user(self, name: str) -> bool:
        """Whether there was one of this name."""
        with self._changing() as (content, write):
            left = _without(content, name)
            write(left)
        return left != content

    def tokens(self) -> tuple[Token, ...]:
        """All tokens, oldest first."""
        return self._read().tokens

    def create_token(self, name: str, now: datetime, scope: Scope = Scope.READ) -> str | None:
        """A new token, to be shown once; None when the name is taken. Raises ValueError for a bad name."""
        _check(name)
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self._changing() as (content, write):
            if any(known.name == name for known in content.tokens):
                return None
            write(replace(content, tokens=(*content.tokens, Token(name, now, _digest(token), scope))))
        return token

    def revoke_token(self, name: str) -> bool:
        """Whether there was one of this name."""
        with self._changing() as (content, write):
            left = tuple(token for token in content.tokens if token.name != name)
            write(replace(content, tokens=left))
        return left != content.tokens

    def check_token(self, token: str) -> Token | None:
        """The token that this is, if it is one; takes the same time for every wrong one."""
        digest = _digest(token)
        found = None
        for known in self.tokens():
            if hmac.compare_digest(known.sha256, digest):
                found = known
        return found

    def _read(self) -> _File:
        try:
            with as_owner(self._path.parent):
                found = self._path.stat()
                seen = (found.st_ino, found.st_mtime_ns, found.st_size)
                known, content = self._known
                if seen != known:
                    content = msgspec.json.decode(self._path.read_bytes(), type=_File)
                    self._known = seen, content
        except FileNotFoundError:
            return _File()
        except OSError as error:
            raise AccountsUnusable(f"{self._path}: {error.strerror}") from None
        except msgspec.MsgspecError as error:
            raise AccountsUnusable(f"{self._path}: is no accounts file: {error}") from None
        if content.version > LAYOUT:
            raise AccountsUnusable(f"{self._path}: was written by a newer version of Backup MX")
        return content

    @contextmanager
    def _changing(self) -> "Iterator[tuple[_File, Callable[[_File], None]]]":
        """What is in the file now, and a function that replaces it; one change at a time on this machine."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with as_owner(self._path.parent), self._path.with_name(self._path.name + ".lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self._read(), self._replace
        except OSError as error:
            raise AccountsUnusable(f"{self._path}: {error.strerror}") from None

    def _replace(self, content: _File) -> None:
        durable.replace(self._path, msgspec.json.format(msgspec.json.encode(replace(content, version=LAYOUT))) + b"\n")


def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(BAD_NAME)


def _named(users: Iterable[User], name: str) -> User | None:
    return next((user for user in users if user.name == name), None)


def _with(content: _File, user: User) -> _File:
    return replace(content, users=tuple(sorted((*_without(content, user.name).users, user), key=lambda user: user.name)))


def _without(content: _File, name: str) -> _File:
    return replace(content, users=tuple(user for user in content.users if user.name != name))


def _admins(content: _File) -> int:
    return sum(user.role is Role.ADMIN for user in content.users)


def _digest(token: str) -> str:
    # a token is 256 random bits: a plain digest is as good as a slow one
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
