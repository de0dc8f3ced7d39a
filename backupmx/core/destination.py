"""Where alerts go: a URL as Apprise has them, full of secrets.

Knows: what such a URL looks like, what of it may be shown, and whether it leads through a server that alerts are about.
Does not know: how anything is sent; which kinds of URL there are, Apprise alone knows.
"""

import hashlib
import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

ALLOWED = 'must be a URL as Apprise has them, like "ntfys://ntfy.example.net/topic" or "mailto://user:password@example.net"'
_OF_SERVERS = frozenset({"mailto", "json", "xml", "form", "ntfy", "gotify", "matrix", "apprise", "rocket", "mmost", "signal"})
"""Whose host is a server's name, also with an `s` at the end; that of others is part of a secret, as in `tgram://TOKEN/CHAT`."""
SHORTEST = 4
"""Characters of something that could be a secret."""
_LARGE, _SMALL = re.compile(r"[/?&#]"), re.compile(r"[/?&#=:@,;.+]")


def destination(text: object) -> str:
    """A URL, as it was given. Raises ValueError, which does not repeat it."""
    if not isinstance(text, str) or not text.isprintable() or " " in text:
        raise ValueError(ALLOWED)
    scheme, separator, rest = text.partition("://")
    if not (separator and rest and scheme.isascii() and scheme[:1].isalpha() and scheme.isalnum()):
        raise ValueError(ALLOWED)
    _split(text)
    return text


def destinations(text: str) -> tuple[str, ...]:
    """Those of a file: one a line; what begins with `#` is a comment. Raises ValueError with the number of the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if (stripped := line.strip()) and not stripped.startswith("#"):
            try:
                found.append(destination(stripped))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return tuple(found)


def shown(url: str) -> str:
    """As much of it as may be seen by everybody: `mailto://smtp.example.net`, `tgram://…`."""
    parts = _split(url)
    host = parts.hostname or ""
    # a topic of ntfy's own server stands where the host would be
    named = parts.path.strip("/") if parts.scheme in ("ntfy", "ntfys") else host
    return f"{parts.scheme}://{host if _is_of_server(parts) and _is_server_name(host) and named else '…'}"


def mark(url: str) -> str:
    """By which it is known again, and cannot be guessed."""
    return hashlib.sha256(url.encode()).hexdigest()


def scrubbed(text: str, url: str) -> str:
    """A text without any part of this URL that may be a secret."""
    rest = url.partition("://")[2]
    host = shown(url).partition("://")[2].lower()
    pieces = {url, rest, *_LARGE.split(rest), *_SMALL.split(rest)}
    pieces |= {unquote(piece) for piece in pieces}
    secret = {piece for piece in pieces if len(piece) >= SHORTEST and piece.lower() not in {host, *host.split(".")}}
    for piece in sorted(secret, key=len, reverse=True):
        text = text.replace(piece, "…")
    return text


def led_astray(url: str, primaries: Collection[str], domains: Collection[str]) -> str | None:
    """Why an alert that a primary is down would not come through, if it goes by way of that very server."""
    parts = _split(url)
    query = parse_qs(parts.query)
    servers = {host.lower() for host in (parts.hostname, *query.get("smtp", ())) if host} if _is_of_server(parts) else set()
    for server in sorted(servers & {*primaries, *domains}):
        return f"it goes by way of {server}, which is what alerts are about: while that is down it does not arrive"
    if parts.scheme in ("mailto", "mailtos"):
        for domain in sorted(_domains_of_mail(parts) & set(domains)):
            return f"it is mail for {domain}: while the primary of {domain} is down it waits here with the rest"
    return None


def _domains_of_mail(parts: SplitResult) -> set[str]:
    query = parse_qs(parts.query)
    named = (each for key in ("to", "cc", "bcc") for value in query.get(key, ()) for each in value.split(","))
    addresses = [unquote(each).strip() for each in (*parts.path.split("/"), *named) if each.strip()]
    if not addresses:
        # without any, Apprise writes to the sender
        addresses = query.get("from", [f"@{parts.hostname}"])
    return {address.rpartition("@")[2].rstrip(">").lower() for address in addresses}


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError(ALLOWED) from None


def _is_of_server(parts: SplitResult) -> bool:
    return bool({parts.scheme, parts.scheme.removesuffix("s")} & _OF_SERVERS)


def _is_server_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return "." in host or host == "localhost"
    return True
