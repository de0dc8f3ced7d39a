"""Sends one message to some URLs, in a process of its own that ends with it: `python -m backupmx.alerts.speaker`.

Knows: Apprise.
Does not know: what is told, and what is done about those who were not reached.

Apprise takes 35 MB and some seconds of a processor to begin with: too much to be kept for a few messages a year.
The order comes on standard input and the answer goes to standard output, for URLs are secret, and arguments are not.
"""

import logging
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import apprise
import msgspec
from msgspec import Struct

from backupmx.core.destination import scrubbed

AT_ONCE = 8
NICENESS = 10
"""Mail comes first."""
LONGEST_REASON = 200
UNKNOWN = "Apprise does not know such a URL, or something is missing in it"
FAILED = "it did not work, or took too long"


class Order(Struct, frozen=True):
    """What is to be sent."""

    urls: tuple[str, ...]
    tone: str
    title: str
    body: str
    seconds: float
    """For all of them, at once."""


Answer = list[str | None]
"""For each URL None, or why nobody was reached by it."""


def send(order: Order) -> Answer:
    """Do it."""
    # one after the other, so that what is said about each can be told apart
    services = [_service(url) for url in order.urls]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = list(pool.map(lambda service: _told(service, order), services))
    return [None if each is None else _without_secrets(each, order.urls) for each in said]


def _service(url: str) -> apprise.Apprise | str:
    """What can be asked to send; or why there is none."""
    heard = _Heard()
    apprise.logger.addHandler(heard)
    try:
        asset = apprise.AppriseAsset(
            app_id="Backup MX", app_desc="Backup MX", app_url="", image_url_mask="", image_url_logo="", storage_mode="memory"
        )
        service = apprise.Apprise(asset=asset)
        return service if service.add(url) else heard.last or UNKNOWN
    finally:
        apprise.logger.removeHandler(heard)


class _Heard(logging.Handler):
    """The last of what Apprise has to say."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def _told(service: apprise.Apprise | str, order: Order) -> str | None:
    if isinstance(service, str):
        return service
    try:
        result = service.notify(
            order.body,
            order.title,
            notify_type=order.tone,
            body_format=apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
            timeout=order.seconds,
        )
    except Exception as error:  # noqa: BLE001 - a fault in one service must not keep the others from being told
        return f"{type(error).__name__}: {error}"
    return None if result else next((entry.message for entry in reversed(list(result.logs()))), FAILED)


def _without_secrets(text: str, urls: Sequence[str]) -> str:
    for url in urls:
        text = scrubbed(text, url)
    return "".join(char if char.isprintable() else " " for char in text)[:LONGEST_REASON]


if __name__ == "__main__":
    os.nice(NICENESS)
    answer = send(msgspec.json.decode(sys.stdin.buffer.read(), type=Order))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    sys.stdout.buffer.flush()
    # a service that hangs beyond its time holds nobody
    os._exit(0)
