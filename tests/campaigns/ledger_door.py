"""Stands at the spool's door in the ledger campaign, and sees what the courier takes out and brings back."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from backupmx.core.ids import MessageId
from backupmx.core.outcome import Failed

Expired = Callable[[MessageId, str], None]


class Door:
    """Of one opened spool."""

    def __init__(self, spool: Any, windows: Mapping[str, timedelta], expired: Expired, failed: Counter[tuple[str, str]]) -> None:
        """`expired` is told of messages whose window was over, `failed` counts recipients whom a primary refused for good."""
        self.out: set[tuple[MessageId, str]] = set()
        """Messages and domains that are in flight."""
        self.faults: list[str] = []
        self._asking = 0
        self._spool = spool
        self._windows = windows
        self._expired = expired
        self._failed = failed
        self._lease, self._settle, self._expire = spool.lease, spool.settle, spool.expire
        spool.lease, spool.settle, spool.expire = self._leasing, self._settling, self._expiring

    def close(self) -> None:
        """Leave the spool as it was."""
        self._spool.lease, self._spool.settle, self._spool.expire = self._lease, self._settle, self._expire

    @property
    def busy(self) -> bool:
        return bool(self.out or self._asking)

    async def _leasing(self, *order: Any) -> Any:
        self._asking += 1
        leases = await self._lease(*order)
        self._asking -= 1
        self.out.update((each.message.id, each.domain) for each in leases)
        return leases

    async def _settling(self, lease: Any, outcomes: Any, *more: Any) -> Any:
        self._failed.update(
            (lease.message.id, address)
            for address, outcome in outcomes.items()
            if isinstance(outcome, Failed) and outcome.by_primary
        )
        result = await self._settle(lease, outcomes, *more)
        self.out.discard((lease.message.id, lease.domain))
        return result

    async def _expiring(self, domain: str, late: Any, upto: datetime, now: datetime) -> Any:
        window = self._windows.get(domain)
        if window and upto > now - window:
            self.faults.append(f"the window of {domain} is shorter than it is: {now - upto}")
        for id in late:
            self._expired(id, domain)
        return await self._expire(domain, late, upto, now)
