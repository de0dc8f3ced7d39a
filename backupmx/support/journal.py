"""The log as it may be shown to others: by a list of fields that are known to be harmless.

Knows: that list, and the forms of a line (`watch.log`).
Does not know: where the lines come from.
"""

import json
import re
from collections.abc import Iterable, Iterator

from backupmx.support.scrubbing import GONE, Scrubber, people

PLAIN = {
    *("level", "event", "process", "timestamp", "child", "pid", "status", "where", "id", "size", "tls", "delay_s", "due"),
    *("after_s", "percent", "left_s", "messages", "expires", "reason", "host", "route", "domain", "client", "topic", "subject"),
    *("allowed", "max_connections", "wait_s", "entries", "verb", "again", "difference", "day", "kind", "notice", "failed"),
    *("keys", "configuration", "path", "hostname", "until", "taken"),
}
"""Of our own words, of hosts, and numbers."""
ADDRESSES = {"to", "sender", "recipient"}
SAID = ADDRESSES | {"reply", "error", "said", "why", "mend", "problem", "detail", "helo", "title"}
"""With strangers' words and addresses in them, which are taken out."""
_PREFIX = re.compile(r"(\d{4}-\d\d-\d\dT\S+) (\S+) ([\w@.-]+)\[(\d+)\]: (.*)")
_FIELD = re.compile(r'([a-z_0-9]+)=("(?:[^"\\]|\\.)*"|\S*)')
_FRAME = re.compile(r'\s*File \\*"[^"\n]*", line \d+, in \S+')
_KIND = re.compile(r"^((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit|Timeout|Unusable|Full|Locked|Warning))\b", re.MULTILINE)


def shown(lines: Iterable[str], scrubber: Scrubber, *, words: bool) -> Iterator[str]:
    """Each line as much as may be seen of it; `words` that are not ours only where all secrets are known."""
    for line in lines:
        found = _PREFIX.fullmatch(line.rstrip("\n"))
        if not found:
            yield scrubber.clean(line.rstrip("\n")) if line.startswith("-- ") else GONE
            continue
        when, _host, who, pid, said = found.groups()
        yield f"{when} {who}[{pid}]: {_said(who, said, scrubber, words)}"


def _said(who: str, said: str, scrubber: Scrubber, words: bool) -> str:
    if fields := _fields(said):
        return _line(fields, scrubber, words)
    if who.startswith("systemd") or said.startswith("backupmx: "):
        return scrubber.clean(said, people(said))
    return _trace(said)


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


def _line(fields: dict[str, str], scrubber: Scrubber, words: bool) -> str:
    known = set().union(*(people(value) for value in fields.values()))
    parts = []
    for key, value in fields.items():
        if key in PLAIN:
            parts.append(f"{key}={json.dumps(scrubber.clean(value))}")
        elif key in SAID and (words or key in ADDRESSES):
            parts.append(f"{key}={json.dumps(scrubber.clean(value, known), ensure_ascii=False)}")
        elif key in ("exception", "exc_info"):
            parts.append(f"{key}={json.dumps(' '.join(_traces(value.replace(chr(92) + 'n', chr(10)))))}")
        else:
            parts.append(f"{key}={GONE}")
    return " ".join(parts)


def _traces(text: str) -> list[str]:
    """Where it went wrong, and what kind of trouble it was; never its words."""
    return [_trace(line) for line in text.splitlines() if _FRAME.match(line) or _KIND.match(line)]


def _trace(line: str) -> str:
    if frame := _FRAME.match(line):
        return frame[0].strip()
    kind = _KIND.match(line)
    return kind[1] if kind else "Traceback" if line.startswith("Traceback") else GONE
