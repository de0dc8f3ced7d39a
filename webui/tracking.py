"""The track: what became of messages, also weeks after.

Knows: pages of a search, and how far one comes in the time that a reader waits.
Does not know: how it looks, who may read, where lives are kept.
"""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from backupmx.control.requests import TrackMessages
from webui import lifeline, selection
from webui.control import Questions
from webui.frame import still, tidied

PAGE = 25
"""Messages on one page."""
LOOK_S = 2.0
"""How long is looked for them: there is no index but the id."""


def install(pages: Blueprint, questions: Questions) -> None:
    """Its door."""

    @pages.get("/track")
    def track() -> ResponseReturnValue:
        if elsewhere := tidied():
            return elsewhere
        sought, wrong = selection.sought(request.args)
        status = questions.status()
        lives, after = questions.track_page(TrackMessages(sought.wanted(), PAGE, sought.after or None, LOOK_S))
        return render_template(
            "track.html",
            status=status,
            now=status.time,
            sought=sought,
            wrongly=wrong,
            lives=[(life, lifeline.fared(life)) for life in lives],
            after=after,
            searched=after is not None and len(lives) < PAGE,
            **still(),
        )
