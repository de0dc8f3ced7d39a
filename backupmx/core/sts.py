"""MTA-STS: what a domain publishes about the TLS of its mail hosts.

Knows: the record and the policy of RFC 8461 section 3, and which hosts a policy admits (section 4.1).
Does not know: where they are fetched from, and how long a copy has been kept.
"""

import re
from collections.abc import Sequence
from typing import Literal, cast

from msgspec import Struct

LONGEST_S = 31_557_600
"""A policy may hold for about a year (RFC 8461 section 3.2)."""
_RECORD = re.compile(r"v=STSv1[ \t]*;[ \t]*(?:[^;]*;)*?[ \t]*id=([A-Za-z0-9]{1,32})[ \t]*(?:;.*)?", re.ASCII)
_MODES = ("enforce", "testing", "none")
Mode = Literal["enforce", "testing", "none"]


class Policy(Struct, frozen=True):
    """What a domain says."""

    mode: Mode
    mx: tuple[str, ...]
    """Host names in lower case; one may begin with `*.` for any one label."""
    max_age: int
    """Seconds."""

    def admits(self, host: str) -> bool:
        """Whether a host may have the domain's mail."""
        _, _, parent = host.partition(".")
        return host in self.mx or f"*.{parent}" in self.mx


def record_id(texts: Sequence[str]) -> str | None:
    """The id in the one record that there is; None: as if there were none (RFC 8461 section 3.1)."""
    ours = [text for text in texts if text.startswith("v=STSv1")]
    found = _RECORD.fullmatch(ours[0]) if len(ours) == 1 else None
    return found[1] if found else None


def policy(text: str) -> Policy:
    """Read a policy file (RFC 8461 section 3.2). Raises ValueError that says what is wrong with it."""
    fields: dict[str, str] = {}
    mx: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        key, colon, value = line.partition(":")
        if not colon:
            continue
        if key.strip() == "mx":
            mx.append(value.strip().lower().removesuffix("."))
        else:
            fields.setdefault(key.strip(), value.strip())  # of a key that comes twice the first counts
    mode, max_age = fields.get("mode", ""), fields.get("max_age", "")
    if fields.get("version") != "STSv1":
        raise ValueError("the policy is not of version STSv1")
    if mode not in _MODES:
        raise ValueError("the policy has no mode that we know")
    if not (max_age.isascii() and max_age.isdecimal() and len(max_age) <= 10):
        raise ValueError("the policy has no max_age")
    if mode != "none" and not mx:
        raise ValueError("the policy admits no host")
    return Policy(cast(Mode, mode), tuple(mx), min(int(max_age), LONGEST_S))
