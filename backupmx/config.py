"""TOML in, frozen settings out; every problem found is told at once.

Knows: the configuration contract (design, section 6): keys, defaults, limits.
Does not know: what any setting does, and the words for what is wrong with it.
"""

import json
import os
import socket
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from backupmx.core import notation
from backupmx.core.destination import destinations, led_astray
from backupmx.core.notation import Endpoint as Endpoint  # noqa: PLC0414 - the rooms know it as ours
from backupmx.errors import ConfigurationError
from backupmx.problems import told
from backupmx.values import (
    Delimiter,
    Destination,
    Destinations,
    Duration,
    Host,
    Language,
    Listener,
    Nameserver,
    Network,
    Pause,
    Pem,
    Pins,
    Place,
    Size,
    SmtpListener,
    SocketPlace,
    SpoolPlace,
    Tls,
    WebPage,
    Window,
    Workers,
    between,
)

DEFAULT_PATH = Path("/etc/backupmx/backupmx.toml")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Smtp(_Table):
    """How strangers reach us."""

    listen: Annotated[tuple[SmtpListener, ...], Field(min_length=1)] = (Endpoint("0.0.0.0", 25), Endpoint("::", 25))  # noqa: S104 - an MX is for all
    workers: Workers = "auto"
    max_message_size: Annotated[Size, Field(ge=1)] = ByteSize(50 * 2**20)
    max_recipients: Annotated[int, Field(ge=100, le=100_000)] = 1000
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    max_connections_per_client: Annotated[int, Field(ge=1, le=65_535)] = 50
    max_messages_per_connection: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    max_errors: Annotated[int, Field(ge=1, le=1000)] = 20
    greeting_delay: Annotated[Duration, between("0s", "1m")] = timedelta(0)
    """How long a stranger who may talk too early waits for our greeting."""
    proxy_from: tuple[Network, ...] = ()
    """Whose connections begin with a PROXY header."""
    xclient_from: tuple[Network, ...] = ()
    """Who may say with XCLIENT on whose behalf it speaks."""
    tls_certificate: Pem | None = None
    tls_key: Annotated[Pem | None, Field(validate_default=True)] = None

    @field_validator("tls_key")
    @classmethod
    def _with_its_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        # a certificate that was wrong itself is absent from info.data, and already told
        if "tls_certificate" in info.data and (key is None) != (info.data["tls_certificate"] is None):
            raise ValueError("tls_certificate and tls_key are given together, or neither")
        return key


class Web(_Table):
    """Where the status page listens."""

    listen: Listener = Endpoint("127.0.0.1", 8025)


class Control(_Table):
    """Where the command line and the page reach the running server."""

    socket: SocketPlace = Path("/run/backupmx/control.sock")


class Dns(_Table):
    """Who resolves names for us; empty: the system's resolvers."""

    nameservers: tuple[Nameserver, ...] = ()


class Delivery(_Table):
    """How mail is given back."""

    probe_interval: Pause = timedelta(seconds=30)
    retry_min: Pause = timedelta(minutes=5)
    retry_max: Annotated[Pause, Field(validate_default=True)] = timedelta(hours=4)
    max_connections_per_route: Annotated[int, Field(ge=1, le=1000)] = 20
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    """To all primaries together; each route has its part."""

    @field_validator("retry_max")
    @classmethod
    def _not_before_the_first(cls, last: timedelta, info: ValidationInfo) -> timedelta:
        if last < (first := info.data.get("retry_min", last)):
            raise ValueError(f"must not be less than retry_min, which is {notation.spell_duration(first)}")
        return last


class Alerts(_Table):
    """Who is told that something is wrong, and when. What a URL holds is secret."""

    urls: Annotated[tuple[Destination, ...], Field(repr=False)] = ()
    urls_file: Destinations | None = None
    """More of them, one a line."""
    grace: Annotated[Duration, between("0s", "1d")] = timedelta(minutes=10)
    """How long a primary may be down before it is worth a word."""
    reminder: Annotated[Duration, between("1h", "30d")] = timedelta(days=1)
    digest: Literal["never", "daily", "weekly"] = "never"
    ping_url: Annotated[WebPage, Field(repr=False)] = ""
    """Asked for again and again; whoever answers there can tell when nobody asks any more."""
    ping_interval: Annotated[Duration, between("1m", "1d")] = timedelta(minutes=5)

    def everybody(self) -> tuple[str, ...]:
        """All URLs; those of the file as it is now. Raises ConfigurationError."""
        try:
            return self.urls + (destinations(self.urls_file.read_text()) if self.urls_file else ())
        except (OSError, ValueError) as error:
            raise ConfigurationError((f"alerts.urls_file: {self.urls_file}: {error}",)) from None


class DomainDefaults(_Table):
    """What holds for every domain that does not say otherwise."""

    holding_window: Window = timedelta(days=14)
    when_primary_up: Literal["relay", "defer", "spool"] = "relay"
    when_unknown: Literal["accept", "defer", "auto"] = "auto"
    recipients: Literal["callout", "list", "any"] = "callout"
    recipient_list: str = ""
    recipient_delimiter: Delimiter = "+"
    """What begins an address extension, like `user+tag`; several characters: each of them does; empty: nothing does."""
    language: Language = "en"
    """Of what we write to senders."""
    delay_warning: bool = False
    """Whether a sender who asked for nothing is told that a message waits; who asked for it always is."""
    max_messages_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """How much of what waited is given back a minute; 0: as much as the primary takes."""
    recipient_case: Literal["fold", "keep"] = "fold"
    """Whether `User@` is `user@`."""


class Ldap(_Table):
    """A directory server that knows who exists in a domain."""

    url: Annotated[str, Field(pattern=r"^ldaps?://[^/]+$")]
    base: str = ""
    filter: str = "(|(mail=*)(proxyAddresses=*))"
    attributes: Annotated[tuple[str, ...], Field(min_length=1)] = ("mail", "proxyAddresses")
    bind_dn: str = ""
    """Empty: anonymously."""
    password_file: Place | None = None
    ca_file: Place | None = None
    start_tls: bool | None = None
    """Not given: unless the server is this machine."""
    refresh: Annotated[Duration, between("1m", "7d")] = timedelta(hours=1)


class Domain(DomainDefaults):
    """One domain that we are secondary MX for."""

    ldap: Ldap | None = None
    """Whose answer is the domain's list, asked for again and again."""

    primary: tuple[Host, ...] = ()
    """Empty: the domain's MX hosts that are better than this one."""
    allow_private: bool | None = None
    """Whether names may lead to private networks. Not given: those of configured primaries may, those of MX hosts may not."""
    tls: Annotated[Tls, Field(validate_default=True)] = "opportunistic"
    """What must be true of a connection, or else mail waits."""
    tls_ca_file: Pem | None = None
    """Whose word on a certificate is good; not given: that of the system's authorities."""
    tls_pin: Pins = ()
    """The primary's public keys (RFC 7469 section 2.4): no authority is asked then."""
    primary_user: Annotated[str, Field(max_length=255)] = ""
    """Who we are to a primary that wants to know; said within TLS only."""
    primary_password_file: Annotated[Pem | None, Field(validate_default=True)] = None

    # a key that was wrong itself is absent from info.data, and already told

    @field_validator("tls")
    @classmethod
    def _has_a_name_to_look_up(cls, tls: Tls, info: ValidationInfo) -> Tls:
        if tls in ("dane", "mta-sts") and any(host.literal for host in info.data.get("primary", ())):
            raise ValueError("needs primaries that are given by name, not by address")
        return tls

    @field_validator("tls_ca_file")
    @classmethod
    def _is_asked(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file and info.data.get("tls", "verify") not in ("verify", "mta-sts"):
            raise ValueError('needs tls = "verify" or "mta-sts"')
        return file

    @field_validator("tls_pin")
    @classmethod
    def _is_the_only_proof(cls, pins: tuple[bytes, ...], info: ValidationInfo) -> tuple[bytes, ...]:
        if pins and (info.data.get("tls", "verify") != "verify" or info.data.get("tls_ca_file")):
            raise ValueError('needs tls = "verify", without tls_ca_file')
        return pins

    @field_validator("primary_password_file")
    @classmethod
    def _with_its_user(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if "primary_user" in info.data and (file is None) != (not info.data["primary_user"]):
            raise ValueError("primary_user and primary_password_file are given together, or neither")
        return file


class Settings(_Table):
    """The whole configuration."""

    hostname: Annotated[str, AfterValidator(notation.domain)] = Field(default_factory=socket.getfqdn)
    spool: SpoolPlace = Path("/var/lib/backupmx")
    reserve: Annotated[Size, Field(ge=0)] = ByteSize(2**30)
    smtp: Smtp = Smtp()
    web: Web = Web()
    control: Control = Control()
    dns: Dns = Dns()
    delivery: Delivery = Delivery()
    alerts: Alerts = Alerts()
    defaults: DomainDefaults = DomainDefaults()
    domains: Mapping[str, Domain] = Field(alias="domain", default={})
    """By name: lower case, A-labels; each complete, with the defaults in it."""

    @field_validator("domains")
    @classmethod
    def _complete(cls, domains: Mapping[str, Domain], info: ValidationInfo) -> Mapping[str, Domain]:
        inherited = dict(info.data.get("defaults", DomainDefaults()))
        return {
            _normal(name): Domain.model_construct(
                domain.model_fields_set,
                **{key: value for key, value in domain if key in domain.model_fields_set or key not in inherited},
                **{key: value for key, value in inherited.items() if key not in domain.model_fields_set},
            )
            for name, domain in domains.items()
        }

    def led_astray(self, url: str) -> str | None:
        """Why an alert to this URL would not come through when it is needed, if it would not."""
        primaries = {host.host for domain in self.domains.values() for host in domain.primary}
        return led_astray(url, primaries, self.domains.keys())


def locate(option: Path | None) -> Path:
    """The configuration file: as asked for, else BACKUPMX_CONFIG, else the default place."""
    return option or Path(os.environ.get("BACKUPMX_CONFIG") or DEFAULT_PATH)


def load(path: Path, *, serving: bool = True) -> Settings:
    """Read a file; raises ConfigurationError with all that is wrong in it.

    A client of the running server (`serving=False`) reads no certificate, and asks nobody for this machine's full name.
    """
    return read(octets(path), path, serving=serving)


def spool_of(path: Path) -> Path:
    """Where the spool is, whatever else may be wrong with the file; the default place when it does not say."""
    try:
        found = _parsed(octets(path), path).get("spool")
    except ConfigurationError:
        found = None
    default: Path = Settings.model_fields["spool"].default
    return Path(found) if isinstance(found, str) and found.startswith("/") else default


def octets(path: Path) -> bytes:
    """What is in a file, right or wrong; raises ConfigurationError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError((f"{path}: cannot be read: {error.strerror}",)) from None


def read(content: bytes, path: Path, *, serving: bool = True, brought: Mapping[Path, bytes] = MappingProxyType({})) -> Settings:
    """As `load`, what a file of this path says, or would say; `brought` are files that would come with it."""
    data = _parsed(content, path)
    domains = data.get("domain", {})
    problems = list(_names(domains)) if isinstance(domains, dict) else []
    if not serving:
        data.setdefault("hostname", socket.gethostname())
    try:
        # for JSON the strict rules take lists and paths as TOML has them
        settings = Settings.model_validate_json(
            json.dumps(data, default=_beyond_json), context={"serving": serving, "brought": brought}
        )
    except ValidationError as error:
        problems += told(error, Settings)
    if problems:
        raise ConfigurationError(tuple(f"{path}: {problem}" for problem in problems))
    return settings


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = f"line {line}: must be UTF-8"
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        problem = f"{where.rstrip(')') or 'TOML'}: {what}"
    raise ConfigurationError((f"{path}: {problem}",))


def _names(table: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the names of the domains."""
    spelt: dict[str, str] = {}
    for name in table:
        try:
            normal = notation.domain(name)
        except ValueError as error:
            yield f"domain.{json.dumps(name)}: {error}"
            continue
        if normal in spelt:
            yield f"domain.{json.dumps(name)}: is the same domain as {json.dumps(spelt[normal])}: give it once"
        spelt.setdefault(normal, name)
    if not table:
        yield 'domain: at least one is needed, like [domain."example.com"]'


def _normal(name: str) -> str:
    try:
        return notation.domain(name)
    except ValueError:
        return name  # `load` tells it, with everything else that is wrong


def _beyond_json(value: object) -> dict[str, str]:
    # a date or a time is wrong wherever it stands, and so is a table in the place of a value
    return {"date or time": str(value)}
