"""Who exists: lists of addresses in the forms that people have them in, and the ways to spell a local part.

Knows: plain lists, Postfix maps, tables (CSV) as address books and Exchange write them, values of a directory.
Does not know: where the text comes from, or which domain it is asked about.

What a list means:

- **Plain**: one address a line, or `*@domain` (also `@domain`) for all of a domain. `#` begins a comment. A lone `user` is of the
  domain that is given; `smtp:` in front is taken off; several addresses may be joined by `,` or `;`.
- **Postfix map**: `address value`, like `relay_recipient_maps`. As there, *any* value means that it exists, `REJECT` too. An
  indented line goes on with the value before it, unless it is one address alone.
- **Table**: cells between `,`, `;` or tabs. The columns with a heading like `mail` or `proxyAddresses` count, else the first one
  that holds addresses, and of a row of addresses alone all. A cell may hold several, as
  `SMTP:a@example.com;smtp:b@example.com`; other protocols are passed over.

The first line decides between a table and the others; `mail` alone above an address is a heading. Nobody is lost in silence: what
is no address is named as a problem. A line that can be read in two ways is read so that more mail comes in, since a name too few
is a refusal for good (I9).
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from msgspec import Struct

from backupmx.core import notation
from backupmx.core.path import LONGEST_PATH, Mailbox, mailbox

EVERYONE = "*"
"""The local part that stands for all of a domain."""

PROBLEMS_TOLD = 20
LONGEST_LINE = 2**16
_ROWS_TRIED = 50

Entry = tuple[str, str]
"""A domain in lower-case A-labels, and a local part as it was given."""


class Roster(Struct, frozen=True):
    """All that a list says."""

    entries: frozenset[Entry]
    problems: tuple[str, ...] = ()
    """A line for each of the first faults, and one that counts the others."""


_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
# part of what `mailbox` takes, at a fraction of its time
_USUAL = re.compile(r"(?:smtp:|SMTP:)?([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)@([A-Za-z0-9.-]+)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD = r'(?:"(?:[^"\\]|\\.)*"|[^\s;,])+'
_JOINED = re.compile(rf"{_WORD}(?:\s*[;,][\s;,]*{_WORD})*")
_PIECE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^;,])+')
_ALONE = re.compile(r"[^\s;,@]+@[^\s;,@]+")
# PowerShell joins the values of a cell with a blank, the admin centre of Microsoft 365 with a plus sign
_JOINT = re.compile(r"[\s+]+(?=[A-Za-z][A-Za-z0-9]*:)")
_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*:")
_SMTP = re.compile(r"smtp:\s*", re.IGNORECASE)
_OTHER_PROTOCOL = re.compile(r"(?:airsync|ccmail|eum|exum|fax|gwise|ms|msmail|notes|sia|sip|spo|tel|x400|x500):", re.IGNORECASE)
_HEADINGS = {"mail", "mailaddress", "email", "emails", "emailaddress", "emailaddresses", "primaryemail"}
_HEADINGS |= {"primarysmtpaddress", "smtpaddress", "proxyaddresses", "windowsemailaddress"}
_STREET_OR_MAIL = "address"
"""A heading that counts where there is no better one."""


def parse(text: str, domain: str | None = None) -> Roster:
    """Read a list in any of the three forms; a local part without a domain is of `domain`. Never raises."""
    reader = _Reader(domain)
    text = text.removeprefix("\ufeff")
    first, following, *_ = *islice(_meaningful(text), 2), "", ""
    separator = _separator(first, following)
    if separator:
        reader.table(text, separator)
    else:
        reader.lines(text)
    return reader.roster()


def gathered(values: Iterable[str], domain: str) -> Roster:
    """The addresses of one domain among the values of a directory, one in each; what is of another domain does not count."""
    reader = _Reader(None)
    for value in values:
        word = value.strip()
        if not word or (_PROTOCOL.match(word) and not _SMTP.match(word)):
            continue
        bare = word[prefix.end() :] if (prefix := _SMTP.match(word)) else word
        if bare.startswith(("@", f"{EVERYONE}@")):
            # a pattern is for those who write lists: a person's attribute must not open the domain
            reader.refuse(None, word)
            continue
        # what cannot be read is a problem only where it is, or might be, of this domain
        at = word.rfind("@")
        if at < 0 or _same_domain(word[at + 1 :], domain):
            reader.take(None, word)
    return reader.roster()


def spellings(local: str, delimiter: str, fold_case: bool) -> tuple[str, ...]:
    """The local parts under which an address may be known, the most exact first.

    Each character of `delimiter` may begin an address extension, as in Postfix (recipient_delimiter): the first one counts, and
    never one that would leave no user. Quoted local parts have no extension.
    """
    if fold_case:
        local = local.lower()
    if not local.startswith('"'):
        for at, letter in enumerate(local):
            if letter in delimiter:
                return (local, local[:at]) if at else (local,)
    return (local,)


class _Reader:
    """Collects entries and problems."""

    def __init__(self, domain: str | None) -> None:
        self._domain = domain
        self._entries: set[Entry] = set()
        self._problems: list[str] = []
        self._more = 0
        self._domains: dict[str, str] = {}
        """As they are spelt in the list → in A-labels: each is worked out, and kept in memory, once."""

    def roster(self) -> Roster:
        counted = (f"and {self._more} more",) if self._more else ()
        return Roster(frozenset(self._entries), (*self._problems, *counted))

    def lines(self, text: str) -> None:
        """A plain list or a Postfix map."""
        has_value = False
        for number, line in enumerate(_lines(text), 1):
            words = line.strip()
            if self._usual(words):
                has_value = False
            elif words and words[0] != "#" and not (has_value and line[0].isspace() and not _ALONE.fullmatch(words)):
                has_value = self._line(number, words)

    def _line(self, number: int, line: str) -> bool:
        """Any other line; returns whether a value follows the address."""
        found = _JOINED.match(line) if len(line) <= LONGEST_LINE else None
        if not found:
            self._problem(number, f"{_shown(line)} is no address")
            return False
        value = line[found.end() :].lstrip(";, \t")
        pieces = tuple(_pieces(found[0]))
        if len(pieces) == 1 and "@" not in found[0] and "@" in value:
            # a name, most likely: the line would be taken for that of a user
            self._problem(number, f"{_shown(line)} does not begin with an address")
        else:
            self._cell(number, pieces)
        return bool(value)

    def table(self, text: str, separator: str) -> None:
        """A table: its first row may be headings."""
        rows = self._rows(text, separator)
        tried = list(islice(rows, _ROWS_TRIED))
        columns = headed = _headed(tried[0][1]) if tried else ()
        if not headed:
            column = _column([row for _, row in tried])
            if column is None:
                self._problem(1, "no column holds addresses")
                return
            columns = (column,)
        if headed or "@" not in "".join(tried[0][1][columns[0] : columns[0] + 1]):
            tried = tried[1:]  # also headings in words that are not known here
        for number, row in chain(tried, rows):
            if len(row) <= columns[0]:
                self._problem(number, f"has no column {columns[0] + 1}")
            # a row of addresses alone is taken whole
            whole = not headed and all("@" in cell or not cell for cell in row)
            for at in range(len(row)) if whole else columns:
                # an empty cell is a person without mail
                if at < len(row) and (cell := row[at].strip()) and not self._usual(cell):
                    if cell.startswith("{") and cell.endswith("}"):
                        cell = cell[1:-1]  # so PowerShell shows a list
                    self._cell(number, tuple(_pieces(cell)))

    def _rows(self, text: str, separator: str) -> Iterator[tuple[int, Sequence[str]]]:
        """Rows that are not empty, with the numbers of their last lines."""
        reader = csv.reader(_without_comments(text), delimiter=separator, strict=True, skipinitialspace=True)
        while True:
            before = reader.line_num
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # the reader begins anew with the next line; each line that is lost with this one counts
                for number in range(before + 1, reader.line_num + 1):
                    self._problem(number, f"is not a row of a table: {error}")
            else:
                if any(row):
                    yield reader.line_num, row

    def _cell(self, number: int, pieces: Sequence[str]) -> None:
        """One address, or several that are joined."""
        of_other_protocol = False
        for piece in pieces:
            if _OTHER_PROTOCOL.match(piece):
                of_other_protocol = True
            elif "@" in piece or len(pieces) == 1:
                of_other_protocol = False
                self.take(number, piece)
            elif not of_other_protocol:  # a name in X.500 may have commas in it
                self._problem(number, f"{_shown(piece)} is no address")

    def _usual(self, word: str) -> bool:
        """Take a common address of a domain that was checked before: this is for lists with a million of them."""
        if (found := _USUAL.fullmatch(word)) and (domain := self._domains.get(found[2])) and len(word) <= LONGEST_PATH:
            self._entries.add((domain, found[1]))
            return True
        return False

    def refuse(self, number: int | None, word: str) -> None:
        """What is no address."""
        self._problem(number, f"{_shown(word)} is no address")

    def take(self, number: int | None, word: str) -> None:
        """One address, pattern or local part."""
        if prefix := _SMTP.match(word):
            word = word[prefix.end() :]
        if word.startswith("@"):
            word = EVERYONE + word
        elif "@" not in word:
            if self._domain is None:
                self._problem(number, f"{_shown(word)} has no domain")
                return
            word = f"{word}@{self._domain}"
        found = _mailbox(word)
        if found is None:
            self.refuse(number, word)
            return
        domain = self._domains.get(found.domain)
        if domain is None:
            try:
                domain = notation.domain(found.domain)
            except ValueError as error:
                self._problem(number, f"{_shown(word)}: the domain {error}")
                return
            domain = self._domains.setdefault(domain, domain)
            self._domains[found.domain] = domain
        self._entries.add((domain, found.local))

    def _problem(self, number: int | None, what: str) -> None:
        if len(self._problems) < PROBLEMS_TOLD:
            self._problems.append(what if number is None else f"line {number}: {what}")
        else:
            self._more += 1


def _lines(text: str) -> Iterator[str]:
    """Each with its end; one at a time, since a list of them all would need more memory than what is in them."""
    return (match[0] for match in _LINE.finditer(text))


def _meaningful(text: str) -> Iterator[str]:
    return (line for line in map(str.strip, _lines(text)) if line and line[0] != "#")


def _without_comments(text: str) -> Iterator[str]:
    # numbers of lines stay true
    return ("\n" if line[0] == "#" else line for line in _lines(text))


def _separator(first: str, following: str) -> str | None:
    """What is between the cells, if a list that begins with these lines is a table."""
    if len(first) > LONGEST_LINE:
        return None
    joined = _JOINED.match(first)
    if joined and first[joined.end() :].lstrip()[:1] not in (",", ";"):
        pieces = list(_pieces(joined[0]))
        # a quoted cell may hold an address, a quoted local part is followed by one's rest
        if all("@" in _QUOTED.sub("", piece) or _SMTP.match(piece) or _OTHER_PROTOCOL.match(piece) for piece in pieces):
            return None
    outside = _QUOTED.sub("", first)
    sure = "," in outside or ";" in outside or first.startswith('"')
    # a tab may stand before the value of a map, and `mail` be a user: an address further on tells
    perhaps = "\t" in outside or first.lower() in _HEADINGS
    if sure or (perhaps and "@" in first + following):
        return max("\t;,", key=outside.count)
    return None


def _headed(row: Sequence[str]) -> tuple[int, ...]:
    """The columns whose headings say that they hold addresses."""
    headings = ["".join(filter(str.isalpha, cell)).lower() for cell in row]
    found = tuple(at for at, heading in enumerate(headings) if heading in _HEADINGS)
    return found or tuple(at for at, heading in enumerate(headings) if heading == _STREET_OR_MAIL)[:1]


def _column(rows: Sequence[Sequence[str]]) -> int | None:
    """The first of the columns that hold the most addresses."""
    width = max(map(len, rows), default=0)
    counts = [sum(at < len(row) and _holds_address(row[at]) for row in rows) for at in range(width)]
    return counts.index(max(counts)) if any(counts) else None


def _holds_address(cell: str) -> bool:
    return any(_mailbox(_SMTP.sub("", piece, count=1)) is not None for piece in _pieces(cell))


def _pieces(cell: str) -> Iterator[str]:
    """What a cell joins."""
    if len(cell) > LONGEST_LINE:
        yield cell  # is no address, whatever it is
        return
    for part in _PIECE.findall(cell):
        for piece in _JOINT.split(part):
            if word := piece.strip():
                yield word


def _mailbox(word: str) -> Mailbox | None:
    # odd blanks came with a copy from elsewhere, and surrogates stand for octets that were no UTF-8
    return mailbox(word.encode()) if word.isprintable() else None


def _same_domain(text: str, domain: str) -> bool:
    try:
        return notation.domain(text.strip()) == domain
    except ValueError:
        return False


def _shown(text: str) -> str:
    """Untrusted text, short and free of control characters (I7)."""
    return json.dumps(text if len(text) <= 60 else text[:57] + "...")
