"""`backupmx check --nagios`: one line on how the running server is, as monitoring plugins tell it.

The line is `WORD - text | figures`, and the word is the exit status too (Monitoring Plugins Development Guidelines).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from backupmx.cli.options import settings
from backupmx.cli.terminal import plain
from backupmx.control.answers import FindingsAnswer, SpoolStatsAnswer, StatusAnswer
from backupmx.control.client import ControlClient
from backupmx.control.requests import GetFindings, GetSpoolStats, GetStatus
from backupmx.core import schedule, words
from backupmx.core.finding import Level
from backupmx.core.queue import SpoolStats
from backupmx.core.status import DomainStatus, PrimaryState, Status
from backupmx.errors import ConfigurationError, ControlAbsent, ControlUnavailable


class Word(IntEnum):
    """The answer, and the exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


GRAVEST = (Word.OK, Word.UNKNOWN, Word.WARNING, Word.CRITICAL)
"""The last one that there is counts."""


LITTLE = 256 * 2**20
"""Octets of room that a few large messages use up."""
OLD = timedelta(hours=1)
"""The server looks around four times as often."""
LEVELS = {Level.ODD: Word.WARNING, Level.BAD: Word.CRITICAL}
TOLD_BY_STATUS = {"primary", "room"}
"""Topics of findings that the status knows by the second."""
LONGEST = 1000
"""Characters of the text: what is longer some systems cut off, figures and all."""


class Trouble(NamedTuple):
    """Something that somebody should know."""

    word: Word
    said: str


def tell(*, network: bool) -> int:
    """Ask the running server, print the line, return the exit status."""
    try:
        client = ControlClient(settings().control.socket)
        status, stats = client.ask(GetStatus()), client.ask(GetSpoolStats())
        findings = client.ask(GetFindings()) if network else None
    except ConfigurationError as error:
        return _print(Word.UNKNOWN, error.problems[0])
    except ControlAbsent as error:
        return _print(Word.CRITICAL, str(error))
    except ControlUnavailable as error:
        return _print(Word.UNKNOWN, str(error))
    if not isinstance(status, StatusAnswer) or not isinstance(stats, SpoolStatsAnswer):
        return _print(Word.UNKNOWN, "no answer that fits")
    troubles = [*_of_status(status.status), *_of_room(stats.stats)]
    if isinstance(findings, FindingsAnswer):
        troubles += _of_findings(findings, status.status.time)
    word = max((trouble.word for trouble in troubles), default=Word.OK, key=GRAVEST.index)
    text = " ".join([words.sentence(status.status), *dict.fromkeys(f"{trouble.said}." for trouble in troubles if trouble.said)])
    return _print(word, text, _figures(status.status, stats.stats))


def _of_status(status: Status) -> Iterator[Trouble]:
    """What the sentence does not tell of these it is told here."""
    queue = status.queue
    if queue.damaged or queue.quarantined:
        yield Trouble(Word.CRITICAL if queue.damaged else Word.WARNING, "")
    if queue.difference:
        yield Trouble(Word.CRITICAL, f"The books do not balance: {words.recipients(queue.difference)} cannot be accounted for")
    for domain in status.domains:
        if domain.primary.state is PrimaryState.DOWN:
            # that is what this machine is for: nothing is lost
            yield Trouble(Word.WARNING, "")
        elif domain.doubtful:
            yield Trouble(Word.CRITICAL, f"{domain.domain}: the primary refuses mail that it used to accept")
        if used := _window_used(domain, status):
            word = Word.WARNING if used == schedule.ALERTS[0] else Word.CRITICAL
            yield Trouble(word, f"{domain.domain}: the oldest message has used up {used} % of the holding window")


def _window_used(domain: DomainStatus, status: Status) -> int:
    window = timedelta(seconds=domain.holding_window_s)
    return schedule.alert(domain.oldest, window, status.time) if domain.oldest and window else 0


def _of_room(stats: SpoolStats) -> Iterator[Trouble]:
    if stats.room <= 0:
        yield Trouble(Word.CRITICAL, "No room for new mail: it is put off")
    elif stats.room < LITTLE:
        yield Trouble(Word.WARNING, f"Room for only {words.size(stats.room)} of mail")


def _of_findings(answer: FindingsAnswer, now: datetime) -> Iterator[Trouble]:
    if answer.at is None:
        yield Trouble(Word.UNKNOWN, "The server has not looked around yet")
    elif now - answer.at > OLD:
        yield Trouble(Word.UNKNOWN, f"The server looked around {words.age(answer.at, now)} ago, and not since")
    for finding in answer.findings:
        if finding.level in LEVELS and finding.topic not in TOLD_BY_STATUS:
            yield Trouble(LEVELS[finding.level], f"{finding.topic} {finding.subject}".rstrip() + f": {finding.said}")


def _figures(status: Status, stats: SpoolStats) -> str:
    """`name=value[unit][;warning[;critical[;least[;most]]]]` each; what is beyond a range alerts."""
    queue = status.queue
    oldest = max(0, int((status.time - queue.oldest).total_seconds())) if queue.oldest else 0
    down = sum(domain.primary.state is PrimaryState.DOWN for domain in status.domains)
    return " ".join(
        (
            f"messages={queue.messages};;;0",
            f"bytes={queue.bytes}B;;;0",
            f"oldest={oldest}s;;;0",
            f"held={queue.held};;;0",
            f"quarantined={queue.quarantined};0;;0",
            f"damaged={queue.damaged};;0;0",
            f"primaries_down={down};0;;0;{len(status.domains)}",
            f"room={stats.room}B;{LITTLE}:;1:;0",
            f"books_difference={queue.difference};;0:0",
        )
    )


def _print(word: Word, text: str, figures: str = "") -> int:
    # what comes after a bar would be taken for figures
    shown = plain(text).replace("|", "/")
    if len(shown) > LONGEST:
        shown = f"{shown[:LONGEST]}…"
    print(f"{word.name} - {shown}" + (f" | {figures}" if figures else ""))
    return word
