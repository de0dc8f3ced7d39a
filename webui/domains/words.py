"""What the settings of a domain are called and what they are for, in a sentence each.

Knows: every key that a domain's table may have.
Does not know: values, HTML.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from backupmx.control.answers import RecipientRow, Refused
from backupmx.core import words
from backupmx.core.amendment import Setting
from backupmx.core.belief import Word
from backupmx.core.finding import Level
from webui import tongue
from webui.tongue import gettext as _
from webui.tongue import lazy_gettext as _l


@dataclass(frozen=True, slots=True)
class Key:
    """One of them."""

    label: str
    help: str


KEYS = {
    "primary": Key(
        _l("Primary"),
        _l("Where mail goes, like mail.example.com:25; several with commas, the best first. Empty: the better MX hosts in DNS."),
    ),
    "allow_private": Key(
        _l("Private networks"),
        _l("Whether the primary's name may lead to a private network. Else: where it is configured yes, where DNS names it no."),
    ),
    "tls": Key(
        _l("Encryption"),
        _l("What must be true of a connection to the primary, or else mail waits: opportunistic asks for nothing."),
    ),
    "tls_ca_file": Key(_l("Authorities"), _l("A file with the certificates of those whose word on the primary is good.")),
    "tls_pin": Key(_l("Pinned keys"), _l("SHA-256 digests of the primary's public keys; no authority is asked then.")),
    "primary_user": Key(_l("User name"), _l("Who this server is to a primary that wants to know; said within TLS only.")),
    "primary_password_file": Key(_l("Password"), _l("A file with the password for that; what is in it is shown nowhere.")),
    "holding_window": Key(
        _l("Holding window"), _l("For how long a message is kept while it cannot be delivered: 1h to 60d, like 14d.")
    ),
    "when_primary_up": Key(
        _l("While the primary is up"),
        _l(
            "relay: the primary itself answers, while the sender waits; defer: senders are sent to it; spool: mail is taken here."
        ),
    ),
    "max_messages_per_minute": Key(
        _l("Pace"), _l("How many of the messages that waited are given back in a minute; 0: as many as the primary takes.")
    ),
    "recipients": Key(
        _l("Who says who exists"), _l("callout: the primary is asked, and what it says is kept; list: a list alone; any: nobody.")
    ),
    "when_unknown": Key(
        _l("Unknown recipients"),
        _l("What becomes of mail for somebody unconfirmed while the primary is down; auto: put off once enough are known."),
    ),
    "recipient_list": Key(
        _l("List in a file"), _l("A file on the server with one address a line, besides the list that is kept here.")
    ),
    "recipient_delimiter": Key(
        _l("Extensions"), _l('What begins an address extension, as in user+tag; "" in quotes: nothing does.')
    ),
    "recipient_case": Key(_l("Upper and lower case"), _l("fold: User@ is user@; keep: they are two.")),
    "language": Key(_l("Language"), _l("In which senders are written to.")),
    "delay_warning": Key(
        _l("Word of a delay"),
        _l("Whether a sender who asked for nothing is told that a message waits; who asked for it always is."),
    ),
    "ldap.url": Key(_l("Directory"), _l("A directory server that knows who exists; its answer is the domain's list.")),
    "ldap.base": Key(_l("Directory: base"), _l("Below which entry is looked for people.")),
    "ldap.filter": Key(_l("Directory: filter"), _l("Which entries count.")),
    "ldap.attributes": Key(_l("Directory: attributes"), _l("In which of them addresses stand.")),
    "ldap.bind_dn": Key(_l("Directory: user"), _l("Who this server is to the directory; empty: nobody.")),
    "ldap.password_file": Key(_l("Directory: password"), _l("A file with the password; what is in it is shown nowhere.")),
    "ldap.ca_file": Key(
        _l("Directory: authorities"), _l("A file with the certificates of those whose word on the directory is good.")
    ),
    "ldap.start_tls": Key(_l("Directory: STARTTLS"), _l("Whether the connection is encrypted; else: unless it is this machine.")),
    "ldap.refresh": Key(_l("Directory: refresh"), _l("How often it is asked.")),
}
GROUPS = (
    (
        _l("Where mail goes"),
        ("primary", "allow_private", "tls", "tls_ca_file", "tls_pin", "primary_user", "primary_password_file"),
    ),
    (_l("What is kept"), ("holding_window", "when_primary_up", "max_messages_per_minute")),
    (
        _l("Recipients"),
        ("recipients", "when_unknown", "recipient_list", "recipient_delimiter", "recipient_case"),
    ),
    (_l("What senders are told"), ("language", "delay_warning")),
    (_l("Directory server"), tuple(key for key in KEYS if key.startswith("ldap."))),
)


def grouped(settings: Iterable[Setting]) -> list[tuple[str, list[Setting]]]:
    """Under headings, without those that are empty; what nobody wrote a word about is last."""
    known = {setting.key: setting for setting in settings}
    groups = [(title, [known.pop(key) for key in keys if key in known]) for title, keys in GROUPS]
    return [(title, found) for title, found in [*groups, (_("More"), list(known.values()))] if found]


def key(name: str) -> Key:
    """What a key is called."""
    return KEYS.get(name, Key(name, ""))


def dns(level: Level | None) -> str:
    """Whether a domain's DNS is right, in a word or two."""
    match level:
        case Level.GOOD:
            return _("as it should be")
        case Level.ODD:
            return _("should be looked at")
        case Level.BAD:
            return _("must be mended")
        case Level.UNKNOWN:
            return _("could not be looked at")
        case None:
            return _("not looked at yet")


def source(recipients: str) -> str:
    """Who says who exists."""
    return {"callout": _("the primary"), "list": _("a list"), "any": _("nobody: everybody is taken")}.get(recipients, recipients)


def known(row: RecipientRow | Refused | None) -> str:
    """What is known of one address."""
    match row:
        case None:
            return _("nothing is known")
        case Refused():
            return "; ".join(row.problems)
    parts = [_("on the list")] if row.listed else []
    if row.word is Word.KNOWN:
        parts.append(_("the primary says that it exists"))
    elif row.word:
        parts.append(_("the primary says that it does not exist"))
    return ", ".join(parts)


def length(seconds: int) -> str:
    """A holding window: `14 d`."""
    return words.span(timedelta(seconds=seconds), tongue)
