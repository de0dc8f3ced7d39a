"""What is wrong with answers, in words for somebody who does this once in a lifetime.

Knows: what each question takes.
Does not know: the network, where the answers are written.
"""

from collections.abc import Iterator

from backupmx.control.accounting import HASH_BEGINS
from backupmx.control.accounts import BAD_NAME
from backupmx.control.accounts import NAME as ACCOUNT
from backupmx.core import notation
from backupmx.core.amendment import Fault
from backupmx.core.destination import destination
from backupmx.core.setup import Answers
from backupmx.setup.configuration import primaries

WHOLE = 'must be a whole name, like "{}"'
ADDRESS_ALONE = (
    "an e-mail address alone does not do: this machine sends no mail but what it was given. "
    'Name the server that sends for you, like "mailtos://user:password@smtp.example.net?to=you@example.net"'
)


def faults(answers: Answers) -> tuple[Fault, ...]:
    """All of them."""
    found = (
        Fault("domain", _of_name(answers.domain, "example.com")),
        Fault("primary", _of_primary(answers)),
        Fault("hostname", _of_name(answers.hostname, "mx2.example.net")),
        Fault("alert", _of_alert(answers.alert)),
        *_of_admin(answers),
    )
    return tuple(fault for fault in found if fault.said)


def _of_name(typed: str, example: str) -> str:
    return "" if "." in _name(typed) else WHOLE.format(example)


def _of_primary(answers: Answers) -> str:
    try:
        hosts = {notation.mailhost(host).host for host in primaries(answers.primary)}
    except ValueError as error:
        return str(error)
    own = _name(answers.hostname)
    return f"{own} is this server itself; the mail server is another one" if own in hosts else ""


def _name(typed: str) -> str:
    try:
        return notation.domain(typed)
    except ValueError:
        return ""


def _of_alert(typed: str) -> str:
    if typed and "@" in typed and "://" not in typed:
        return ADDRESS_ALONE
    try:
        if typed:
            destination(typed)
    except ValueError as error:
        return str(error)
    return ""


def _of_admin(answers: Answers) -> Iterator[Fault]:
    if not ACCOUNT.fullmatch(answers.name):
        yield Fault("name", BAD_NAME)
    if not answers.password_hash.startswith(HASH_BEGINS):
        yield Fault("password", "is not given")
