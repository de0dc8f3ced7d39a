"""What Prometheus reads: gauges from the status document and the spool, and the counters of all processes.

Knows: the exposition format, the names of the gauges (those of the counters are in `watch.metrics`).
Does not know: where the numbers come from. The same status document is shown everywhere else (I8).
"""

import os
from collections.abc import Iterator, Mapping

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from backupmx.core.alerts import Kind
from backupmx.core.history import Sums
from backupmx.core.queue import SpoolStats
from backupmx.core.status import DomainStatus, PrimaryState, Status
from backupmx.watch.metrics import ATTEMPTS, CONNECTIONS, MESSAGES_TOTAL

OPEN = next(iter(CONNECTIONS.describe())).name
_MESSAGES = f"{next(iter(MESSAGES_TOTAL.describe())).name}_total"
_ATTEMPTS = f"{next(iter(ATTEMPTS.describe())).name}_total"


def exposition(status: Status, stats: SpoolStats, alerts: Mapping[Kind, int]) -> str:
    """Everything, in Prometheus' text form; `alerts` is how much is wrong of each kind."""
    registry = CollectorRegistry()
    registry.register(_Gauges(status, stats, alerts))
    registry.register(_Counters(_of_all()))
    return generate_latest(registry).decode()


def sums() -> Sums:
    """What all processes have counted by now, as far as history is made of it."""
    accepted = relayed = delivered = 0.0
    refused: dict[str, int] = {}
    for metric in _of_all().collect():
        for sample in metric.samples:
            if sample.name == _MESSAGES and sample.labels["result"] == "accepted":
                accepted += sample.value
            elif sample.name == _MESSAGES and sample.labels["result"] == "relayed":
                relayed += sample.value
            elif sample.name == _MESSAGES:
                refused[sample.labels["reason"]] = int(sample.value)
            elif sample.name == _ATTEMPTS and sample.labels["result"] == "delivered":
                delivered += sample.value
    return Sums(int(accepted), int(relayed), int(delivered), refused)


def _of_all() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    MultiProcessCollector(of_all := CollectorRegistry())  # type: ignore[no-untyped-call]
    return of_all


class _Counters(Collector):
    """What the processes count, under the names that the conventions give."""

    def __init__(self, of_all: CollectorRegistry) -> None:
        self._of_all = of_all

    def collect(self) -> Iterator[Metric]:
        for metric in self._of_all.collect():
            if metric.name == OPEN:
                shown = Metric(OPEN.removesuffix("_open"), metric.documentation, metric.type)
                shown.samples = [sample._replace(name=shown.name) for sample in metric.samples]
                yield shown
            else:
                yield metric


class _Gauges(Collector):
    def __init__(self, status: Status, stats: SpoolStats, alerts: Mapping[Kind, int]) -> None:
        self._status = status
        self._stats = stats
        self._alerts = alerts

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("backupmx_build_info", "This program, by version", labels=["version"])
        info.add_metric([self._status.version], 1)
        yield info
        yield from self._queue()
        yield from self._spool()
        wrong = GaugeMetricFamily("backupmx_alerts", "How much is wrong now, by kind: `backupmx alerts list`", labels=["kind"])
        for kind, count in self._alerts.items():
            wrong.add_metric([kind.value], count)
        yield wrong

    def _queue(self) -> Iterator[Metric]:
        messages = GaugeMetricFamily(
            "backupmx_queue_messages",
            "Messages by domain and state; waiting holds those on their way",
            labels=["domain", "state"],
        )
        octets = GaugeMetricFamily("backupmx_queue_bytes", "Octets that wait, by domain and state", labels=["domain", "state"])
        age = GaugeMetricFamily("backupmx_queue_oldest_age_seconds", "Age of the oldest message that waits", labels=["domain"])
        primary = GaugeMetricFamily(
            "backupmx_primary_up", "1 up, 0 down; absent while nothing is known", labels=["domain", "route"]
        )
        for domain in self._status.domains:
            states = {
                "waiting": domain.messages,
                "held": domain.held,
                "quarantined": domain.quarantined,
                "damaged": domain.damaged,
            }
            for state, count in states.items():
                messages.add_metric([domain.domain, state], count)
            octets.add_metric([domain.domain, "waiting"], domain.bytes)
            age.add_metric([domain.domain], self._age(domain))
            if domain.primary.state is not PrimaryState.UNKNOWN:
                primary.add_metric([domain.domain, domain.route], domain.primary.state is PrimaryState.UP)
        yield from (messages, octets, age, primary)
        yield GaugeMetricFamily(
            "backupmx_books_difference", "Recipients for whom the books do not balance; 0", value=self._status.queue.difference
        )

    def _age(self, domain: DomainStatus) -> float:
        return (self._status.time - domain.oldest).total_seconds() if domain.oldest else 0.0

    def _spool(self) -> Iterator[Metric]:
        stats = self._stats
        yield GaugeMetricFamily("backupmx_spool_map_used_bytes", "Octets of the spool's map in use", value=stats.map_used)
        yield GaugeMetricFamily("backupmx_spool_map_size_bytes", "Octets that the spool's map can grow to", value=stats.map_size)
        yield GaugeMetricFamily("backupmx_spool_disk_free_bytes", "Octets free on the spool's disk", value=stats.disk_free)
        yield GaugeMetricFamily(
            "backupmx_spool_room_bytes", "Octets that may still be accepted before 452 4.3.1", value=stats.room
        )
