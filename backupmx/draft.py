"""A draft of the configuration file: keys of domains are put and dropped, and whatever people wrote around them stays.

Knows: how a domain's name may be spelt, and which comments are about which table; tomlkit knows the rest of TOML.
Does not know: which keys there are and what they mean, and where the file is.

Whatever comes of it must mean just what was wanted, or is refused.
"""

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Comment, Item, Null, Table, Trivia, Whitespace

from backupmx.core import notation
from backupmx.errors import ConfigurationUnchanged

Key = tuple[str, ...]
Value = str | bool | list[str]
ODD = "this file is written in a way that only a person can change"
APART = re.compile(r".*\n(?=[ \t]*\r?\n)", re.DOTALL)
"""Of what stands above a header: all before the last blank line, which is about something else."""


class Draft:
    """A text that changes, and what it has to mean afterwards."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is no TOML, or has no table of domains where it should, and ConfigurationUnchanged."""
        self._wanted = tomllib.loads(text)
        if not isinstance(self._wanted.setdefault("domain", {}), dict):
            raise ValueError("domain must be a [table]")
        try:
            self._document: Any = tomlkit.parse(text)
        except TOMLKitError:
            raise ConfigurationUnchanged(ODD) from None
        self._end = Trivia()
        _hand_down(self._document, self._end)
        if self.text != text:
            raise ConfigurationUnchanged(ODD)

    @property
    def text(self) -> str:
        """The file as it is to be. Raises ConfigurationUnchanged where that would not mean what was wanted."""
        text = tomlkit.dumps(self._document) + self._end.indent
        with suppress(tomllib.TOMLDecodeError):
            if {"domain": {}} | tomllib.loads(text) == self._wanted:
                return text
        raise ConfigurationUnchanged(ODD)

    def has(self, domain: str) -> bool:
        """Whether the domain is there, however it is spelt."""
        return self._spelt(domain) in self._wanted["domain"]

    def says(self, domain: str, key: str) -> bool:
        """Whether a key stands in the domain's table."""
        return _inside(self._wanted, ("domain", self._spelt(domain), key)) is not None

    def add(self, domain: str) -> None:
        """A domain that is not there yet, after those that are."""
        self._wanted["domain"][domain] = {}
        if "domain" not in self._document:
            self._document["domain"] = outer = tomlkit.table(is_super_table=True)
            outer.trivia.indent = ""
        # there are several, where something else stands between domains
        domains = [item for key, item in self._document.body if key is not None and key.key == "domain"][-1]
        domains[domain] = {}
        self._set_apart(domains[domain])

    def put(self, domain: str, key: Key, value: Value) -> None:
        """Give a key of a domain that is there a value; a comment behind the old one stays. Raises ConfigurationUnchanged."""
        wanted, table = self._wanted, self._document
        for name in ("domain", self._spelt(domain), *key[:-1]):
            if name not in wanted:
                table[name] = {} if _is_headed(table) else tomlkit.inline_table()
                self._set_apart(table[name])
            wanted, table = wanted.setdefault(name, {}), table[name]
            if not isinstance(wanted, dict):
                raise ConfigurationUnchanged(f"{'.'.join(key)}: {name} has no keys of its own")
        old, wanted[key[-1]] = wanted.get(key[-1]), value
        if old == value:
            return
        table[key[-1]] = new = tomlkit.item(value)
        if old is None:
            # tomlkit takes what stands above the table for an indentation
            new.trivia.indent = ""

    def drop(self, domain: str, key: Key = ()) -> None:
        """Take a key away, and a table that has none left; without a key the whole domain."""
        path = ("domain", self._spelt(domain), *key)
        if _inside(self._wanted, path) is None:
            return
        if len(key) > 1 and len(_inside(self._wanted, path[:-1])) == 1:
            path = path[:-1]
        before = self._headers()
        for whole in (self._wanted, self._document):
            del _inside(whole, path[:-1])[path[-1]]
        after = set(map(id, self._headers()))
        kept = ""
        for header in before:
            if id(header) in after:
                header.indent, kept = kept + header.indent, ""
            elif apart := APART.match(header.indent):
                kept += apart[0]

    def _set_apart(self, table: Item) -> None:
        """A blank line goes above a new header; what ends the file goes above that."""
        if _is_headed(table):
            above = ""
            if self._headers()[-2] is table.trivia:
                above, self._end.indent = self._end.indent.rstrip("\n"), ""
            table.trivia.indent = f"{above}\n\n" if above else "\n"

    def _headers(self) -> list[Trivia]:
        """From top to bottom, and the end of the file."""
        return [item.trivia for _, _, item in _lines(self._document) if _is_headed(item)] + [self._end]

    def _spelt(self, domain: str) -> str:
        return next((name for name in self._wanted["domain"] if _normal(name) == domain), domain)


def _hand_down(document: Container, end: Trivia) -> None:
    """What stands above a header becomes a part of it; to tomlkit it is the end of the table before."""
    below: Trivia | None = end
    for body, place, item in reversed(list(_lines(document))):
        if isinstance(item, Comment | Whitespace):
            if below is not None:
                below.indent = item.as_string() + below.indent
                body[place] = (None, Null())
        elif _is_headed(item):
            below = item.trivia
        elif isinstance(item, Table):
            # should it get a header of its own, tomlkit would repeat the comment of the first one inside
            item.trivia.comment_ws = item.trivia.comment = ""
        else:
            below = None


def _lines(table: Container) -> Iterator[tuple[list[tuple[Any, Item]], int, Item]]:
    """From top to bottom, and where each of them is in tomlkit's tree."""
    for place, (_, item) in enumerate(table.body):
        yield table.body, place, item
        if isinstance(item, Table):
            yield from _lines(item.value)


def _is_headed(item: Item) -> bool:
    return isinstance(item, Table) and not item.is_super_table()


def _inside(table: Any, path: Key) -> Any:
    """What is there; None, if nothing is."""
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table


def _normal(name: str) -> str:
    try:
        return notation.domain(name)
    except ValueError:
        return name
