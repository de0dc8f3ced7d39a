"""The vocabulary of the log: one function an event, one line each on standard error.

Knows: the name and the fields of each event.
Does not know: when they happen. Untrusted text is escaped by the renderer, so that no line holds a control character (I7).
"""

import logging
import os
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

import structlog

Format = Literal["text", "json"]
_PLAIN = re.compile(r"[!#-<>-\[\]-~]*")
_PRIORITIES = {"error": "<3>", "warning": "<4>", "info": "<6>"}
_processors: list[structlog.typing.Processor] = []
"""Changed in place: a logger that was used before the fork keeps it."""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("backupmx")


def set_up(form: Format, process: str) -> None:
    """Choose the form of the lines and the name that this process goes by; once in each process, after the fork."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s", force=True)
    _processors[:] = [
        structlog.processors.ExceptionRenderer(),
        *(_for_people(process) if form == "text" else _for_programs(process)),
    ]
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _for_programs(process: str) -> Sequence[structlog.typing.Processor]:
    def named(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["process"] = process
        return event

    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return named, structlog.processors.add_log_level, stamp, structlog.processors.JSONRenderer()


def _for_people(process: str) -> Sequence[structlog.typing.Processor]:
    """As structlog's own processors write it, in one step and at a third of their cost: a line comes with each message."""
    last = f"process={_shown(process)} timestamp="
    priority = _PRIORITIES if _to_journal() else {}

    def line(_logger: object, method: str, event: structlog.typing.EventDict) -> str:
        parts = [f"{priority.get(method, '')}level={method} event={_shown(event.pop('event'))}"]
        parts += [f"{key}={_shown(value)}" for key, value in event.items()]
        now = time.time()
        return f"{' '.join(parts)} {last}{_second(int(now))}.{int(now % 1 * 1e6):06}Z"

    return (line,)


def _to_journal() -> bool:
    """Whether systemd reads what we write here: then a line begins with its priority (sd-daemon(3)), which is not shown."""
    found = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


@lru_cache(maxsize=2)
def _second(since_1970: int) -> str:
    return datetime.fromtimestamp(since_1970, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _shown(value: object) -> str:
    """Nothing but printable ASCII, in quotes where a reader could mistake it for more than one value."""
    text = "" if value is None else str(value)
    if _PLAIN.fullmatch(text):
        return text
    if not (text.isascii() and text.isprintable()):
        text = text.encode("unicode_escape").decode("ascii")
    if " " in text or "=" in text or '"' in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


# Processes


def started(process: str, pid: int) -> None:
    """A process of ours began."""
    _log.info("started", child=process, pid=pid)


def died(process: str, pid: int, status: int) -> None:
    """A process of ours ended unasked; it is started anew."""
    _log.error("died", child=process, pid=pid, status=status)


def stopping() -> None:
    """SIGTERM: sessions in the middle of data may finish."""
    _log.info("stopping")


def too_few_files(allowed: int, connections: int) -> None:
    """The system allows a worker fewer open files than there may be connections."""
    _log.warning("too few files", allowed=allowed, max_connections=connections)


def restore_finished(configuration: str) -> None:
    """A backup that was to be restored is in place, before anything else began."""
    _log.info("restored", configuration=configuration)


def reloaded() -> None:
    """A changed configuration is in force."""
    _log.info("reloaded")


def configuration_kept(problems: Sequence[str]) -> None:
    """A changed configuration cannot be used; the old one stays in force."""
    for problem in problems:
        _log.error("configuration kept", problem=problem)


def certificate_renewed(expires: datetime) -> None:
    """New files are in use from the next handshake on."""
    _log.info("certificate renewed", expires=expires.isoformat())


def certificate_kept(problems: Sequence[str]) -> None:
    """New files do not fit together; those that were loaded stay in use."""
    for problem in problems:
        _log.error("certificate kept", problem=problem)


def trouble(where: str, error: BaseException) -> None:
    """A bug or a storage error; the safe answer was given (I9)."""
    _log.error("trouble", where=where, exc_info=error)


def history_set_aside(path: str, why: str) -> None:
    """The file with the history cannot be read, and a new one is begun; this is where the old one is."""
    _log.error("history set aside", path=path, why=why)


def books_differ(domain: str, day: str, difference: int) -> None:
    """The books do not balance (I11): so many recipients whose mail came on that day are in none of the columns, or in two."""
    _log.error("books differ", domain=domain, day=day, difference=difference)


def found_bad(topic: str, subject: str, said: str, mend: str) -> None:
    """A check found something that mail suffers from, and did not when it looked before."""
    _log.warning("found bad", topic=topic, subject=subject, said=said, mend=mend)


def found_better(topic: str, subject: str) -> None:
    """What a check found bad is bad no more."""
    _log.info("found better", topic=topic, subject=subject)


# What comes in


def _shortened(recipients: Sequence[str]) -> str:
    return ",".join(recipients[:10]) + (f",… ({len(recipients)} in all)" if len(recipients) > 10 else "")


def accepted(id: str, client: str, helo: str, sender: str, recipients: Sequence[str], size: int, tls: str | None) -> None:
    """A message is durable, and its `250` is on the way."""
    to = _shortened(recipients)
    _log.info("accepted", id=id, client=client, helo=helo, sender=sender, to=to, size=size, tls=tls)


def relayed(
    id: str, client: str, sender: str, recipients: Sequence[str], size: int, host: str, tls: str | None, reply: str
) -> None:
    """The primary took a message while its client was still there."""
    to = _shortened(recipients)
    _log.info("relayed", id=id, client=client, sender=sender, to=to, size=size, host=host, tls=tls, reply=reply)


def refused(client: str, reason: str, reply: str, detail: str = "") -> None:
    """A command, a message or a connection was refused; `reason` is the name in the table of replies."""
    _log.info("refused", client=client, reason=reason, reply=reply, detail=detail[:200])


def swept(messages: int) -> None:
    """Messages that never got their `250` were taken out of the spool."""
    _log.info("swept", messages=messages)


# What goes out


def delivered(id: str, recipient: str, host: str, reply: str, tls: str | None, delay: timedelta) -> None:
    """The primary took responsibility for one recipient."""
    _log.info("delivered", id=id, to=recipient, host=host, reply=reply, tls=tls, delay_s=round(delay.total_seconds(), 3))


def deferred(id: str, recipient: str, host: str, reply: str, due: str) -> None:
    """One recipient waits for another attempt."""
    _log.info("deferred", id=id, to=recipient, host=host, reply=reply, due=due)


def quarantined(id: str, recipient: str, host: str, reply: str) -> None:
    """One recipient cannot be given back, and waits for an admin."""
    _log.warning("quarantined", id=id, to=recipient, host=host, reply=reply)


def returned(id: str, recipient: str, host: str, reply: str) -> None:
    """One recipient will not get it, and the sender is told so."""
    _log.info("returned", id=id, to=recipient, host=host, reply=reply)


def notified(id: str, notice: str, kind: str, sender: str) -> None:
    """The sender is written to; the notification is a message of its own."""
    _log.info("notified", id=id, notice=notice, kind=kind, sender=sender)


def window_used(domain: str, percent: int, left: timedelta) -> None:
    """So much of the holding window of a domain's oldest message is over."""
    _log.warning("window used", domain=domain, percent=percent, left_s=round(left.total_seconds()))


def expired(domain: str, ids: Sequence[str]) -> None:
    """The holding window of these messages is over; they wait for an admin."""
    for message in ids:
        _log.warning("expired", domain=domain, id=message)


def damaged(id: str, what: str) -> None:
    """A message's content does not match its digest."""
    _log.error("damaged", id=id, what=what)


def primary_down(route: str, error: str) -> None:
    """A primary cannot be reached; it is probed until it can."""
    _log.warning("primary down", route=route, error=error)


def primary_suspect(route: str, reply: str) -> None:
    """A primary refuses mail that it used to accept: nothing more is given to it, and nothing is lost."""
    _log.error("primary suspect", route=route, reply=reply)


def primary_trusted(route: str) -> None:
    """Such a primary accepts again what it used to, or an admin says so."""
    _log.info("primary trusted", route=route)


def primary_defers(route: str, reply: str) -> None:
    """A primary answers 4xx to everything: it is tried, but its word is not relied upon."""
    _log.warning("primary defers", route=route, reply=reply)


def directory_unavailable(domain: str, why: str) -> None:
    """A directory server did not tell who exists; the list that it gave before stays in force."""
    _log.warning("directory unavailable", domain=domain, why=why)


def route_kept(domain: str, error: str) -> None:
    """A domain's route cannot be looked up; the last good addresses stay in use."""
    _log.warning("route kept", domain=domain, error=error)


def tls_given_up(host: str, why: str) -> None:
    """A host offered TLS, and it came to nothing; its domain's policy lets mail go in plain text."""
    _log.warning("tls given up", host=host, why=why)


def tls_not_met(host: str, why: str) -> None:
    """A host is not what an MTA-STS policy demands, and the policy says that it is on trial."""
    _log.warning("tls policy not met", host=host, why=why)


def sts_not_fetched(domain: str, why: str) -> None:
    """A domain's MTA-STS policy cannot be fetched; a copy is in force for as long as it holds."""
    _log.warning("mta-sts policy not fetched", domain=domain, why=why)


def primary_up(route: str, after: timedelta | None) -> None:
    """A primary answers; `after` is how long it was down, if it was."""
    _log.info("primary up", route=route, after_s=round(after.total_seconds(), 3) if after is not None else None)


# Who is told


def alert_told(title: str, to: Sequence[str]) -> None:
    """A message to admins was taken by these services; of their URLs only what is not secret."""
    _log.info("alert", title=title, to=",".join(to))


def alert_not_told(to: str, title: str, why: str, again: datetime | None) -> None:
    """A service did not take a message to admins; without `again` it is not tried any more."""
    _log.error("alert not told", to=to, title=title, why=why, again=again.isoformat(timespec="seconds") if again else None)


def alert_led_astray(to: str, why: str) -> None:
    """An alert to this place would not arrive when it is needed."""
    _log.warning("alert led astray", to=to, why=why)


def ping_failed(why: str) -> None:
    """The URL that is to know that we work does not answer; told once, until it does."""
    _log.warning("ping failed", why=why)


def ping_answered() -> None:
    """It does again."""
    _log.info("ping answered")


# What admins do


def setup_open(configuration: str) -> None:
    """This machine is nobody's yet: who has the one-time code may set it up."""
    _log.info("to be set up", configuration=configuration)


def setup_code_refused(wait_s: int) -> None:
    """Somebody gave a wrong one-time code; the next is looked at after so many seconds."""
    _log.warning("setup code refused", wait_s=wait_s)


def claimed(by: str, domain: str, hostname: str) -> None:
    """The machine has an admin and a configuration from now on."""
    _log.info("admin", verb="set up", by=by, domain=domain, hostname=hostname)


def alerts_muted(by: str, until: datetime | None) -> None:
    """An admin opened a maintenance window, or closed it."""
    _log.info("admin", verb="mute", by=by, until=until.isoformat(timespec="seconds") if until else None)


def alerts_tested(by: str, failed: int) -> None:
    """An admin had a message sent to everybody; so many services did not take it."""
    _log.info("admin", verb="test alerts", by=by, failed=failed)


def admin_trusts(by: str, domain: str) -> None:
    """An admin has a primary believed again that refused what it used to accept."""
    _log.info("admin trusts", by=by, domain=domain)


def admin_did(verb: str, by: str, ids: Sequence[str], why: str) -> None:
    """An admin acted on messages."""
    for message in ids:
        _log.info("admin", verb=verb, by=by, id=message, why=why)


def admin_read(by: str, id: str) -> None:
    """An admin looked at what a message says, beyond its header."""
    _log.info("admin", verb="read", by=by, id=id)


def configuration_changed(by: str, what: str) -> None:
    """An admin changed the configuration file by a command, and the change is being applied."""
    _log.info("admin", verb="configure", by=by, what=what)


def backup_taken(by: str, keys: int) -> None:
    """An admin has all that is secret here in a file, from the page; sealed for so many keys, if for any."""
    _log.info("admin", verb="backup", by=by, keys=keys)


def restore_decided(by: str, taken: datetime) -> None:
    """An admin has a backup of that time put in place; everything begins anew."""
    _log.info("admin", verb="restore", by=by, taken=taken.isoformat(timespec="seconds"))


def recipients_changed(verb: str, by: str, domain: str, entries: int) -> None:
    """An admin changed what is known of a domain's recipients."""
    _log.info("admin", verb=verb, by=by, domain=domain, entries=entries)


def account_changed(verb: str, by: str, name: str, what: str) -> None:
    """Somebody changed a user of the page or a token; `what` is the new role or scope."""
    _log.info("admin", verb=verb, by=by, account=name, what=what)


def code_refused(name: str) -> None:
    """Somebody who knows a user's password gave a wrong code."""
    _log.warning("second factor refused", account=name)
