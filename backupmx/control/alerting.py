"""What may be asked of alerts: what is wrong now, whether messages arrive, and to be quiet for a while.

Knows: the door of what tells admins.
Does not know: when and how they are told, sockets, and who asks.
"""

from datetime import timedelta

from backupmx.control.answers import AlertsAnswer, AnyAnswer, Done, Refused, TestedAnswer
from backupmx.control.requests import Alerting, GetAlerts, MuteAlerts, TestAlerts
from backupmx.ports import Alerts, Clock

LONGEST = timedelta(days=30)
"""Of a maintenance window: nobody wants to be told nothing for ever."""


class AlertsDesk:
    """An admin's view of the alerts."""

    def __init__(self, alerts: Alerts, clock: Clock) -> None:
        self._alerts = alerts
        self._clock = clock

    async def answer(self, request: Alerting) -> AnyAnswer:
        """Each question has one answer."""
        match request:
            case GetAlerts():
                return AlertsAnswer(await self._alerts.standing(), tuple(self._alerts.places), self._alerts.muted)
            case TestAlerts():
                return TestedAnswer(await self._alerts.test(request.by))
            case MuteAlerts():
                return await self._mute(request)

    async def _mute(self, request: MuteAlerts) -> AnyAnswer:
        now = self._clock()
        if request.until is not None and not now < request.until <= now + LONGEST:
            return Refused((f"{request.until.isoformat()}: must be later than now, and within {LONGEST.days} days",))
        await self._alerts.mute(request.until, request.by)
        return Done()
