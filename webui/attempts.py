"""How often one may guess: passwords from one address, codes from one address and for one name.

Knows: which addresses are one neighbourhood.
Does not know: what is guessed. An answer of 401 says that it was wrong; others are not counted.
"""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import TypeVar

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter

FROM_ONE_PLACE = "5 per minute"
"""From one address; for IPv6, from one /64."""
FOR_ONE_NAME = "10 per hour"
"""From everywhere together: there are only a million codes. Who gets as far as that knows the password."""

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


class Attempts:
    """Counts those that failed, in this process's memory."""

    def __init__(self, app: Flask) -> None:
        self._limiter = Limiter(_neighbourhood, app=app, storage_uri="memory://", headers_enabled=False)

    def few_from_one_place(self, view: View) -> View:
        """For a view that says whether a password or a code is right."""
        return self._limiter.limit(FROM_ONE_PLACE, methods=["POST"], deduct_when=_wrong)(view)  # type: ignore[return-value]

    def few_for_one_name(self, name: Callable[[], str]) -> Callable[[View], View]:
        """The same, whoever asks, for the name that the request is about."""

        def limited(view: View) -> View:
            return self._limiter.limit(FOR_ONE_NAME, key_func=name, methods=["POST"], deduct_when=_wrong)(view)  # type: ignore[return-value]

        return limited


def _wrong(response: Response) -> bool:
    return response.status_code == 401


def _neighbourhood() -> str:
    """Who shares one count. What a proxy says is not believed: behind one, all share."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    return str(address if address.version == 4 else ip_network((address, 64), strict=False))
