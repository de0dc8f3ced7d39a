"""What may follow the path in MAIL and RCPT, strictly.

Knows: SIZE (RFC 1870), RET, ENVID, NOTIFY and ORCPT (RFC 3461), BODY (RFC 6152), SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689).
Does not know: limits, and whether an extension was offered to this client.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

from backupmx.core import replies
from backupmx.core.replies import Answer

LONGEST_ENVID = 100
LONGEST_ORCPT = 500
"""Octets (RFC 3461 sections 4.4 and 4.2)."""
_XTEXT = r"(?:[!-*,-<>-~]|\+[2-7][0-9A-F])*"
_ENVID = re.compile(_XTEXT)
_ORCPT = re.compile(r"[A-Za-z0-9-]+;" + _XTEXT)
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})


@dataclass(frozen=True, slots=True)
class MailWish:
    """What the parameters of MAIL ask for."""

    size: int = 0
    """Octets that the client means to send; 0 when it did not say."""
    eight_bit: bool = False
    smtputf8: bool = False
    requires_tls: bool = False
    ret: str = ""
    envid: str = ""


@dataclass(frozen=True, slots=True)
class RecipientWish:
    """What the parameters of RCPT ask for."""

    notify: str = ""
    orcpt: str = ""


_PLAIN_MAIL = MailWish()
_PLAIN_RECIPIENT = RecipientWish()
_OF_MAIL = frozenset({"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID"})
_OF_MAIL_IN_TLS = _OF_MAIL | {"REQUIRETLS"}
_OF_RECIPIENT = frozenset({"NOTIFY", "ORCPT"})


def of_mail(given: Mapping[str, str], *, esmtp: bool, tls: bool) -> MailWish | Answer:
    """By upper-case keyword; or the reply to what is wrong."""
    if not given:
        return _PLAIN_MAIL
    if problem := _unknown(given, _OF_MAIL_IN_TLS if tls else _OF_MAIL, esmtp):
        return problem
    size = given.get("SIZE", "0")
    body = given.get("BODY", "7BIT").upper()
    if not (size.isdecimal() and len(size) <= 20) or body not in ("7BIT", "8BITMIME"):
        return replies.BAD_SYNTAX
    if given.get("SMTPUTF8") or given.get("REQUIRETLS"):
        return replies.BAD_SYNTAX  # they have no value
    ret, envid = given.get("RET"), given.get("ENVID")
    if (ret is not None and ret.upper() not in ("FULL", "HDRS")) or not _fits(envid, _ENVID, LONGEST_ENVID):
        return replies.BAD_DSN
    return MailWish(int(size), body == "8BITMIME", "SMTPUTF8" in given, "REQUIRETLS" in given, (ret or "").upper(), envid or "")


def of_recipient(given: Mapping[str, str], *, esmtp: bool) -> RecipientWish | Answer:
    """By upper-case keyword; or the reply to what is wrong."""
    if not given:
        return _PLAIN_RECIPIENT
    if problem := _unknown(given, _OF_RECIPIENT, esmtp):
        return problem
    notify, orcpt = given.get("NOTIFY"), given.get("ORCPT")
    if notify is not None and notify.upper() != "NEVER" and not _NOTIFY.issuperset(notify.upper().split(",")):
        return replies.BAD_DSN
    if not _fits(orcpt, _ORCPT, LONGEST_ORCPT):
        return replies.BAD_DSN
    return RecipientWish((notify or "").upper(), orcpt or "")


def _unknown(given: Mapping[str, str], known: Set[str], esmtp: bool) -> Answer | None:
    # who said HELO was offered nothing (RFC 5321 section 4.1.4)
    return None if esmtp and given.keys() <= known else replies.UNKNOWN_PARAMETER


def _fits(value: str | None, form: re.Pattern[str], longest: int) -> bool:
    return value is None or (0 < len(value) <= longest and form.fullmatch(value) is not None)
