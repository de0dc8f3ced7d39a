"""The log as it may be shown to others: by a list of fields that are known to be harmless.

Knows: that list, and the forms of a line (`watch.log`).
Does not know: where the lines come from.

Lines may be older than the configuration, and have secrets in them that nobody knows any more: those that tell what is wrong with
a value lose it. What remains of other words is said in `scrubbing`.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from backupmx.support.scrubbing import GONE, Scrubber, people, without_names, without_value

PLAIN = {
    *("level", "event", "process", "timestamp", "child", "pid", "status", "where", "id", "size", "tls", "delay_s", "due"),
    *("after_s", "percent", "left_s", "messages", "expires", "reason", "host", "route", "domain", "client", "topic", "subject"),
    *("allowed", "max_connections", "wait_s", "entries", "verb", "again", "difference", "day", "kind", "notice", "failed"),
    *("keys", "configuration", "path", "hostname", "until", "taken"),
}
"""Of our own words, of hosts, and numbers."""
ADDRESSES = {"to", "sender", "recipient"}
SAID = {"reply", "error", "said", "why", "mend", "problem", "detail", "helo", "title"}
"""With strangers' words and addresses in them, which are taken out; and what is wrong with a configuration, without the value."""
_PREFIX = re.compile(r"(\d{4}-\d\d-\d\dT\S+) (\S+) ([\w@.-]+)\[(\d+)\]: (.*)")
_FIELD = re.compile(r'([a-z_0-9]+)=("(?:[^"\\]|\\.)*"|\S*)')
_FRAME = re.compile(r'\s*File \\*"[^"\n]*", line \d+, in \S+')
_KIND = re.compile(r"^((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit|Timeout|Unusable|Full|Locked|Warning))\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Line:
    begins: str
    """When, and who."""
    fields: dict[str, str]
    """Of a line of ours."""
    said: str
    ours: bool
    """Whether these are words of ours or of systemd's."""


def shown(lines: Iterable[str], scrubber: Scrubber, *, words: bool) -> Iterator[str]:
    """Each line as much as may be seen of it; `words` that are not ours only where all secrets are known."""
    read = [_read(line.rstrip("\n")) for line in lines]
    # whoever has an address somewhere may be named without it elsewhere
    everybody = {local.lower() for line in read if not isinstance(line, str) for local in _people(line)}
    for line in read:
        if isinstance(line, str):
            yield scrubber.clean(line) if line.startswith("-- ") else GONE
        else:
            yield f"{line.begins}: {_shown(line, scrubber, everybody, words)}"


def _read(line: str) -> _Line | str:
    found = _PREFIX.fullmatch(line)
    if not found:
        return line
    when, _host, who, pid, said = found.groups()
    return _Line(f"{when} {who}[{pid}]", _fields(said), said, who.startswith("systemd") or said.startswith("backupmx: "))


def _people(line: _Line) -> set[str]:
    texts = line.fields.values() if line.fields else [line.said] if line.ours else []
    return set().union(*map(people, texts))


def _shown(line: _Line, scrubber: Scrubber, everybody: set[str], words: bool) -> str:
    if line.fields:
        return _of_fields(line.fields, scrubber, everybody, words)
    if line.ours:
        return without_names(scrubber.clean(without_value(line.said), people(line.said)), everybody)
    return _trace(line.said)


def _fields(said: str) -> dict[str, str]:
    """None where it is no line of ours."""
    if said.startswith("{"):
        try:
            found = json.loads(said)
        except ValueError:
            return {}
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
    if not said.startswith("level="):
        return {}
    return {key: _unquoted(value) for key, value in _FIELD.findall(said)}


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _of_fields(fields: dict[str, str], scrubber: Scrubber, everybody: set[str], words: bool) -> str:
    known = set().union(*(people(value) for value in fields.values()))
    parts = []
    for key, value in fields.items():
        if key in PLAIN:
            parts.append(f"{key}={json.dumps(scrubber.clean(value))}")
        elif key in ADDRESSES:
            parts.append(f"{key}={_quoted(scrubber.clean(value, known))}")
        elif key in SAID and words:
            said = without_value(value) if key == "problem" else value
            parts.append(f"{key}={_quoted(without_names(scrubber.clean(said, known), everybody))}")
        elif key in ("exception", "exc_info"):
            parts.append(f"{key}={json.dumps(' '.join(_traces(value.replace(chr(92) + 'n', chr(10)))))}")
        else:
            parts.append(f"{key}={GONE}")
    return " ".join(parts)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _traces(text: str) -> list[str]:
    """Where it went wrong, and what kind of trouble it was; never its words."""
    return [_trace(line) for line in text.splitlines() if _FRAME.match(line) or _KIND.match(line)]


def _trace(line: str) -> str:
    if frame := _FRAME.match(line):
        return frame[0].strip()
    kind = _KIND.match(line)
    return kind[1] if kind else "Traceback" if line.startswith("Traceback") else GONE
