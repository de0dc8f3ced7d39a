"""The configuration as it may be shown to others: by a list of keys that are known to be harmless.

Knows: that list.
Does not know: what a key does, and whether what is set is right.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Any

from backupmx.core.destination import SHORTEST
from backupmx.support.scrubbing import GONE

DOMAIN = "*"
_FOR_DOMAINS = {
    *("holding_window", "when_primary_up", "when_unknown", "recipients", "recipient_list", "recipient_delimiter", "language"),
    *("delay_warning", "max_messages_per_minute", "recipient_case"),
}
KEYS: Mapping[str, set[str]] = {
    "": {"hostname", "spool", "reserve"},
    "smtp": {
        *("listen", "workers", "max_message_size", "max_recipients", "max_connections", "max_connections_per_client"),
        *("max_messages_per_connection", "max_errors", "greeting_delay", "proxy_from", "xclient_from"),
        *("tls_certificate", "tls_key"),
    },
    "web": {"listen"},
    "control": {"socket"},
    "dns": {"nameservers"},
    "delivery": {"probe_interval", "retry_min", "retry_max", "max_connections_per_route", "max_connections"},
    "alerts": {"grace", "reminder", "digest", "ping_interval", "urls_file"},
    "defaults": _FOR_DOMAINS,
    f"domain.{DOMAIN}": {
        *_FOR_DOMAINS,
        *("primary", "allow_private", "tls", "tls_ca_file", "tls_pin", "primary_password_file"),
    },
    f"domain.{DOMAIN}.ldap": {"password_file", "ca_file", "start_tls", "refresh", "attributes"},
}
"""Of each table. What names a file shows its name, never what is in it."""
_NAME = re.compile(r"[a-z][a-z_]{0,39}")
_LINE = re.compile(r"\s*([a-z_]{1,40})\s*=\s*(.*)")
_PLAIN = re.compile(r"true|false|[0-9]{1,12}|\"[0-9]{1,6} ?([smhd]|[KMG]i?B)\"")
_STRINGS = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)'")
_HEAD = re.compile(r"\s*\[\s*(\w+)(\s*\.\s*\"?([A-Za-z0-9.-]+)\"?)?(\s*\.\s*(ldap))?\s*\]\s*(#.*)?")


def shown(text: str) -> Iterator[str]:
    """Line by line, without comments; also of a file that is no TOML."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        yield "# It cannot be read as TOML: shown are the lines that look like it, with values that cannot be secrets."
        yield from _skeleton(text)
    else:
        yield from _table(data, "", "")


def secrets(text: str) -> set[str]:
    """All that is not shown, for it must not be shown elsewhere either."""
    try:
        found = set(_unshown(tomllib.loads(text), ""))
    except tomllib.TOMLDecodeError:
        found = {a or b for line in text.splitlines() if not _is_known(line) for a, b in _STRINGS.findall(line)}
    return {each for each in found if len(each) >= SHORTEST}


def _table(data: Mapping[str, Any], place: str, head: str) -> Iterator[str]:
    if head:
        yield ""
        yield f"[{head}]"
    for key, value in data.items():
        if not isinstance(value, dict):
            name = key if _NAME.fullmatch(key) else "unknown_key"
            yield f"{name} = {_value(value) if key in KEYS.get(place, ()) else json.dumps(GONE)}"
    for key, value in data.items():
        if isinstance(value, dict):
            inside = _inside(place, key)
            name = key if _NAME.fullmatch(key) else json.dumps(key) if inside in KEYS else "unknown_table"
            yield from _table(value, inside, f"{head}.{name}" if head else name)


def _inside(place: str, key: str) -> str:
    if place == "domain":
        return f"domain.{DOMAIN}"
    return f"{place}.{key}" if place else key


def _value(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _unshown(value: object, place: str, harmless: bool = False) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                table = isinstance(inner, dict)
                yield from _unshown(inner, _inside(place, key) if table else place, not table and key in KEYS.get(place, ()))
        case list():
            for each in value:
                yield from _unshown(each, place, harmless)
        case bool():
            pass
        case str() | int() | float() | date() | time() if not harmless:
            yield str(value)


def _skeleton(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if (head := _HEAD.fullmatch(line)) and (head[1] in KEYS or head[1] == "domain"):
            yield f"[{head[1]}{'.' + json.dumps(head[3]) if head[3] else ''}{'.ldap' if head[5] else ''}]"
        elif found := _LINE.fullmatch(line):
            plain = _is_known(line) and _PLAIN.fullmatch(found[2].strip())
            yield f"{found[1]} = {found[2].strip() if plain else json.dumps(GONE)}"


def _is_known(line: str) -> bool:
    found = _LINE.fullmatch(line)
    return bool(found) and any(found[1] in keys for keys in KEYS.values()) if found else False
