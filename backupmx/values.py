"""What a value in the configuration may be: lengths of time, sizes, places, hosts, and what is said of one that is none of these.

Knows: how each is written, and its limits; of files, whether who serves can read them.
Does not know: which keys there are.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, PlainValidator, ValidationInfo

from backupmx import languages
from backupmx.core import notation
from backupmx.core.destination import destination, destinations
from backupmx.core.notation import Endpoint, Mailhost
from backupmx.core.schedule import LONGEST_WINDOW
from backupmx.problems import SIZE

SOCKET_PATH_LIMIT = 107
"""Octets in the path of a unix socket (unix(7))."""
_WEB_PAGE = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(:[0-9]{1,5})?(/[!-~]*)?")


def _duration(value: object) -> timedelta:
    return value if isinstance(value, timedelta) else notation.duration(value)


def between(first: str, last: str) -> AfterValidator:
    """A length of time that is no shorter and no longer."""

    def check(value: timedelta) -> timedelta:
        if not notation.duration(first) <= value <= notation.duration(last):
            raise ValueError(f'must be from "{first}" to "{last}"')
        return value

    return AfterValidator(check)


def _size(value: object) -> object:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(SIZE)
    return value


def _workers(value: object) -> object:
    if value != "auto" and not (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 64):
        raise ValueError('must be "auto" or a whole number from 1 to 64')
    return value


def _spool(value: object) -> object:
    if isinstance(value, str) and value.startswith(("postgresql:", "postgres:")):
        raise ValueError("the replicated spool comes with a later version; this one needs a directory")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("must be a path that begins with /")
    return value


def _socket(value: Path) -> Path:
    if len(os.fsencode(value)) > SOCKET_PATH_LIMIT:
        raise ValueError(f"must be at most {SOCKET_PATH_LIMIT} bytes long, as a socket's path")
    return value


def _readable(value: Path, info: ValidationInfo) -> Path:
    # only who serves needs them: the page and the command line may not read the key
    if info.context and info.context["serving"] and _brought(value, info) is None:
        try:
            with value.open("rb") as file:
                file.read(1)
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
    return value


def _brought(file: Path, info: ValidationInfo) -> bytes | None:
    """What will be in it when what comes with the configuration is in place."""
    found: Mapping[Path, bytes] = info.context["brought"] if info.context else {}
    return found.get(Path(os.path.normpath(file)))


def _delimiter(value: str) -> str:
    if not set(value) <= set("+-=_.#~"):
        raise ValueError('must be some of the characters "+-=_.#~", or empty')
    return value


def _language(value: str) -> str:
    if value not in (known := languages.known()):
        raise ValueError(f"must be one of {', '.join(known)}")
    return value


def _network(value: object) -> notation.Network:
    return value if isinstance(value, notation.Network) else notation.network(value)


def _smtp_listener(value: object) -> Endpoint | notation.Passed:
    return value if isinstance(value, Endpoint | notation.Passed) else notation.smtp_listener(value)


def _mailhost(value: object) -> Mailhost:
    return value if isinstance(value, Mailhost) else notation.mailhost(value)


def _pins(value: object) -> tuple[bytes, ...]:
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(each if isinstance(each, bytes) else notation.pin(each) for each in several)


def _destinations(value: Path, info: ValidationInfo) -> Path:
    if info.context and info.context["serving"]:
        try:
            brought = _brought(value, info)
            destinations((value.read_bytes() if brought is None else brought).decode())
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError("cannot be read: it is not UTF-8") from None
    return value


def _web_page(value: str) -> str:
    if value and not _WEB_PAGE.fullmatch(value):
        raise ValueError('must be a URL like "https://ping.example.net/backupmx"')
    return value


def _or_itself(parse: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: value if isinstance(value, Endpoint) else parse(value))


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Pause = Annotated[Duration, between("1s", "1d")]
Window = Annotated[Duration, between("1h", notation.spell_duration(LONGEST_WINDOW))]
Size = Annotated[ByteSize, BeforeValidator(_size)]
Host = Annotated[Mailhost, PlainValidator(_mailhost)]
Pins = Annotated[tuple[bytes, ...], PlainValidator(_pins)]
Language = Annotated[str, AfterValidator(_language)]
Tls = Literal["opportunistic", "required", "verify", "dane", "mta-sts"]
Listener = Annotated[Endpoint, _or_itself(notation.listener)]
SmtpListener = Annotated[Endpoint | notation.Passed, PlainValidator(_smtp_listener)]
Destination = Annotated[str, AfterValidator(destination)]
Nameserver = Annotated[Endpoint, _or_itself(notation.nameserver)]
Network = Annotated[notation.Network, PlainValidator(_network)]
Place = Annotated[Path, AfterValidator(_absolute)]
Pem = Annotated[Place, AfterValidator(_readable)]
Workers = Annotated[Literal["auto"] | int, BeforeValidator(_workers)]
SpoolPlace = Annotated[Place, BeforeValidator(_spool)]
SocketPlace = Annotated[Place, AfterValidator(_socket)]
Destinations = Annotated[Place, AfterValidator(_destinations)]
WebPage = Annotated[str, AfterValidator(_web_page)]
Delimiter = Annotated[str, AfterValidator(_delimiter)]
