"""Whether a server would start with another configuration, seen before it is in force.

Knows: what a start needs besides the configuration itself: a certificate, and addresses to listen on.
Does not know: where the configuration comes from, and what becomes of it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from backupmx import listeners
from backupmx.config import Settings
from backupmx.edge.certificate import Certificate
from backupmx.errors import ConfigurationError
from backupmx.inherited import Inherited


def hindered(
    settings: Settings, brought: Mapping[Path, bytes], *, open_now: listeners.Sockets, inherited: Inherited
) -> list[str]:
    """Why it would not, in the place of a server that runs; `brought` are files that would be there by then."""
    return [*_uncertified(settings, brought), *listeners.hindered(settings, open_now, inherited)]


def unfit(settings: Settings) -> list[str]:
    """The same, as far as it is known without a server: systemd may open ports for one that this user may not open."""
    return [*_uncertified(settings, {}), *listeners.absent(settings)]


def _uncertified(settings: Settings, brought: Mapping[Path, bytes]) -> list[str]:
    certificate, key = settings.smtp.tls_certificate, settings.smtp.tls_key
    # our own is made anew where it is no good
    if certificate is None or key is None:
        return []
    # a TLS library takes files alone
    with TemporaryDirectory(prefix="backupmx-") as place:
        copies = {each: Path(place, str(number)) for number, each in enumerate((certificate, key))}
        for file, copy in copies.items():
            octets = brought.get(Path(os.path.normpath(file)))
            copy.write_bytes(file.read_bytes() if octets is None else octets)
        try:
            Certificate(copies[certificate], copies[key])
        except ConfigurationError as error:
            said = str(error)
            for file, copy in copies.items():
                said = said.replace(str(copy), str(file))
            return [said]
    return []
