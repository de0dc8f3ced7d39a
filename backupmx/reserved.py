"""Which keys of the configuration are reserved to whoever is on the machine, and so are not set on the page.

Knows: what names a file of this machine, who is believed, where we listen, and what could have a secret sent to another host.
Does not know: who asks, and how a key is set.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from backupmx.config import Delivery, Domain, DomainDefaults, Settings

LDAP = "ldap"
BY_HAND = {"recipient_list", "tls_ca_file", "primary_password_file", LDAP}
"""Of a domain: files of this machine, and a directory server that may be given a password."""
GUARDED = {"primary", "primary_user", "tls", "tls_pin", "allow_private"}
"""Of a domain. Where the primary is given a password, whoever sets these could have it."""
PROOF = GUARDED | {"tls_ca_file"}
"""All that says to whom that password is given: not even a default is known to be as good."""

HARMLESS: Mapping[str, set[str]] = {
    # the name is asked for when a machine is set up on the page; the reserve is a number
    "": {"hostname", "reserve"},
    # how much and how long: who wants less mail may remove the domain. Not here: addresses, and whose word on a client is taken
    "smtp": {
        *("workers", "max_message_size", "max_recipients", "max_connections", "max_connections_per_client"),
        *("max_messages_per_connection", "max_errors", "greeting_delay"),
    },
    # lengths of time and numbers of connections, all of them
    "delivery": set(Delivery.model_fields),
    # who is told is asked for when a machine is set up on the page, and hears nothing but what the page shows its admins
    "alerts": {"urls", "grace", "reminder", "digest", "ping_url", "ping_interval"},
    # as for each domain
    "defaults": set(DomainDefaults.model_fields) - BY_HAND,
}
"""Of each table but those of domains: what the page has no form for, and a backup may bring all the same."""
FILES = {"recipient_list", "tls_ca_file", "primary_password_file", "urls_file", "tls_certificate", "tls_key"}
"""What names a file that is read. One that comes with the same backup tells nobody anything that is not known already."""

Comes = Callable[[Path], bool]
"""Whether a file comes along, in the place of any that is here."""


def brought(new: Settings, present: Settings, comes: Comes) -> Iterator[str]:
    """Reserved keys that a configuration sets which somebody brings: to something that neither is so now nor is the default."""
    for table, model in _tables(new):
        is_now = dict(_tables(present))[table]
        for key, value in _values(model):
            if key not in HARMLESS.get(table, ()) and _is_news(key, value, type(model), is_now, comes):
                yield f"{table}.{key}" if table else key
    for name, domain in new.domains.items():
        before = present.domains.get(name, Domain())
        secret = _stays(domain.primary_password_file, comes)
        for key, value in domain:
            if secret and key in PROOF:
                news = value != getattr(before, key)
            else:
                news = key in BY_HAND and _is_news(key, value, Domain, before, comes)
            if news:
                yield f'domain."{name}".{key}'
        # of what is not changed at all, the file may be another one
        if secret and _comes(domain.tls_ca_file, comes) and domain.tls_ca_file == before.tls_ca_file:
            yield f'domain."{name}".tls_ca_file'
        ldap = domain.ldap
        if ldap and ldap == before.ldap and _stays(ldap.password_file, comes) and _comes(ldap.ca_file, comes):
            yield f'domain."{name}".{LDAP}.ca_file'


def _tables(settings: Settings) -> Iterator[tuple[str, BaseModel]]:
    yield "", settings
    yield from ((name, value) for name, value in settings if isinstance(value, BaseModel))


def _values(model: BaseModel) -> Iterator[tuple[str, Any]]:
    # tables and domains are looked at by themselves
    yield from ((key, value) for key, value in model if not isinstance(value, BaseModel | Mapping))


def _is_news(key: str, value: Any, model: type[BaseModel], is_now: BaseModel, comes: Comes) -> bool:
    if value in (getattr(is_now, key), model.model_fields[key].get_default(call_default_factory=True)):
        return False
    return not (key in FILES and _comes(value, comes))


def _comes(file: Path | str | None, comes: Comes) -> bool:
    return bool(file and comes(Path(os.path.normpath(file))))


def _stays(secret: Path | None, comes: Comes) -> bool:
    """A file of this machine, which is the only one that may not be given to others."""
    return secret is not None and not _comes(secret, comes)
