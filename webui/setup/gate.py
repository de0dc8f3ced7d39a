"""The gate before everything: a machine that is nobody's shows its set-up, one that is somebody's never again.

Knows: what is to be seen in either case.
Does not know: the steps of the set-up, who may see what afterwards (`webui.guard`).
"""

from flask import Flask, redirect, request, url_for
from flask.typing import ResponseReturnValue

from backupmx.errors import ControlUnavailable
from webui.setup.asking import Asking
from webui.setup.visits import too_late

ALWAYS = {"static", "languages.choose"}
"""What there is to see in both times."""
WAITING = "setup.done"
"""Shown while the one server has gone and the other has not come."""
PROGRAMS = ("/api/", "/metrics", "/healthz")
NOT_YET = "this machine is not set up yet"


def install(app: Flask, asking: Asking) -> None:
    """Before anything else looks at a request."""

    @app.before_request
    def gate() -> ResponseReturnValue | None:
        if request.endpoint in ALWAYS:
            return None
        here = request.blueprint == "setup"
        try:
            is_open = asking.open()
        except ControlUnavailable:
            if here and request.endpoint != WAITING:
                raise
            return None
        if here and is_open != (request.endpoint == WAITING):
            return None
        if not is_open:
            return _too_late() if here else None
        if request.path.startswith(PROGRAMS):
            return {"error": NOT_YET}, 503
        return redirect(url_for("setup.begin"))


def _too_late() -> ResponseReturnValue:
    too_late()
    return redirect(url_for("pages.overview"), 303)
