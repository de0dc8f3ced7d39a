"""Looks around now and then, and keeps what was found, for everybody who asks (I8).

Knows: the last report.
Does not know: what there is to look at.
"""

from collections.abc import Callable, Sequence

from backupmx.checks.round import Round
from backupmx.core.finding import Finding, Level, Report
from backupmx.ports import Clock
from backupmx.watch import log


class Watchman:
    """One for each instance, in the courier's process."""

    def __init__(self, begin: Callable[[], Round], clock: Clock) -> None:
        """`begin` makes a round."""
        self._begin = begin
        self._clock = clock
        self._bad: set[tuple[str, str]] = set()
        self.report = Report()

    async def look(self) -> None:
        """Go round once. What became bad, and what is so no more, is in the log, once."""
        try:
            findings = await self._begin().look()
        except Exception as error:  # noqa: BLE001 - the next round comes
            log.trouble("checks", error)
            return
        self.report = Report(findings, self._clock())
        self._tell(findings)

    async def look_again(self, domain: str) -> None:
        """Look at one domain, and what it needs of this machine."""
        try:
            findings = await self._begin().look_at(domain)
        except Exception as error:  # noqa: BLE001 - what was found before stands
            log.trouble("checks", error)
            return
        self.report = self.report.renewed(domain, findings, self._clock())
        self._tell(findings)

    def _tell(self, findings: Sequence[Finding]) -> None:
        bad = {(finding.topic, finding.subject): finding for finding in findings if finding.level is Level.BAD}
        for place in bad.keys() - self._bad:
            log.found_bad(*place, bad[place].said, bad[place].mend)
        seen = {(finding.topic, finding.subject) for finding in findings if finding.level is not Level.UNKNOWN}
        for place in (self._bad & seen) - bad.keys():
            log.found_better(*place)
        # what cannot be looked at now may be as bad as it was
        self._bad = bad.keys() | (self._bad - seen)
