"""What a `.smtp` file says.

# the promise, in words (RFC and section where there is one)
#only: plain | tls | whole      where else it does not apply
#smtp: max_recipients = 100     a setting of [smtp], as TOML
C: line                         the client says a line
C\\: octets                      octets as they are, with \\r \\n \\0 \\xNN
S: 250 2.1.0 Ok                 one line of a reply; * is anything
S* 250                          a whole reply that begins with this
S: (closed)                     the connection has ended
M: sender -> one, two           a message that is held now, in the order of acceptance; (none)
D: octets                       a line of its content, without our Received field; escapes as above
"""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LINE = re.compile(r"(C|C\\|S|M|D):(?: (.*))?|(S)\* (.*)", re.DOTALL)


@dataclass(slots=True)
class Script:
    """One conversation."""

    promise: str
    only: set[str] = field(default_factory=set)
    settings: dict[str, Any] = field(default_factory=dict)
    steps: list[tuple[str, str | bytes]] = field(default_factory=list)
    """SEND octets, LINE pattern, REPLY code, CLOSED."""
    held: list[tuple[str, list[bytes]]] | None = None
    """Envelope and lines of content; None when the file does not say."""


def read(path: Path) -> Script:
    """Raises ValueError for a line that means nothing."""
    first, *lines = path.read_text().splitlines()
    if not first.startswith("# "):
        raise ValueError(f"{path.name}: the first line must be the promise")
    script = Script(first[2:])
    for number, line in enumerate(lines, 2):
        if line.startswith("#only: "):
            script.only |= set(line[7:].split())
        elif line.startswith("#smtp: "):
            script.settings |= tomllib.loads(line[7:])
        elif line and not line.startswith("# "):
            match = _LINE.fullmatch(line)
            if match is None:
                raise ValueError(f"{path.name}:{number}: {line}")
            _add(script, match[1] or "S*", match[2] or match[4] or "")
    return script


def _add(script: Script, kind: str, text: str) -> None:
    if kind in ("C", "C\\"):
        octets = text.encode() + b"\r\n" if kind == "C" else _octets(text)
        before = script.steps.pop()[1] if script.steps and script.steps[-1][0] == "SEND" else b""
        assert isinstance(before, bytes)
        script.steps.append(("SEND", before + octets))
    elif kind == "S*":
        script.steps.append(("REPLY", text))
    elif kind == "S":
        script.steps.append(("CLOSED", "") if text == "(closed)" else ("LINE", text))
    elif kind == "D":
        assert script.held
        script.held[-1][1].append(_octets(text))
    elif text == "(none)":
        script.held = []
    else:
        script.held = [*(script.held or []), (text, [])]


def _octets(text: str) -> bytes:
    return text.encode().decode("unicode_escape").encode("latin-1") if "\\" in text else text.encode()
