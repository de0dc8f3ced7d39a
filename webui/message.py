"""One message: envelope, life line, headers, and what may be done; also when it is gone, from its track.

Knows: which questions make the page, how much of a header is shown.
Does not know: how it looks, who may read, what MIME is: content is handed over as it is.
"""

from collections.abc import Iterator
from itertools import chain

from flask import Blueprint, Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from backupmx.control.answers import Refused, Row
from backupmx.control.requests import MOVES, ReadMessage, TrackMessages, Verb
from backupmx.core import ids, track
from backupmx.core.track import Life, Wanted
from backupmx.errors import ControlUnavailable
from webui import lifeline, rows, verbs
from webui.control import Questions
from webui.frame import frame, partial

HEADER = 32 * 1024
"""Octets of a header that are shown."""
INERT = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""What a stranger wrote does nothing, however a browser takes it."""


def install(pages: Blueprint, questions: Questions) -> None:
    """Its doors."""

    @pages.get("/message/<id>")
    def message(id: str) -> ResponseReturnValue:
        status = questions.status()
        row, life = _found(questions, id)
        if life is None:
            several = isinstance(row, Refused) and len(_beginning(questions, id)) > 1
            if several:
                return redirect(url_for("pages.track", id=id))
            return render_template("gone.html", status=status, id=id, **frame()), 200 if partial() else 404
        here = isinstance(row, Row)
        return render_template(
            "message.html",
            status=status,
            now=status.time,
            life=life,
            line=rows.line(row, status) if isinstance(row, Row) else None,
            events=tuple(lifeline.lines(life)),
            ended=lifeline.end(life),
            fared=lifeline.fared(life),
            # the part that refreshes itself is without it
            header=_header(questions, life.id) if here and not partial() else None,
            verbs_now=_possible(row) if isinstance(row, Row) else (),
            deeds=verbs.DEEDS,
            **frame(),
        )

    @pages.post("/message/<id>/content")
    def content(id: str) -> ResponseReturnValue:
        pieces = questions.content(ReadMessage(id, current_user.name, header_only=False))
        # the first piece is read before the status line is written: a message that cannot be read is told as such
        first = list(_some(pieces))
        name = "".join(c for c in id if c.isascii() and c.isalnum())
        return Response(
            chain(first, pieces),
            content_type="text/plain; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}.txt"', "Content-Security-Policy": INERT},
        )


def _found(questions: Questions, id: str) -> tuple[Row | Refused, Life | None]:
    """The message if it is here, and its life if anything is known of it."""
    row = questions.message(id)
    known = _beginning(questions, row.message.id if isinstance(row, Row) else id)
    life = known[0] if len(known) == 1 else None
    if life is None and isinstance(row, Row):
        life = track.life(row.message.id, row.message, None)
    return row, life


def _beginning(questions: Questions, id: str) -> list[Life]:
    """At most two lives whose ids begin like that."""
    try:
        ids.abbreviation_range(id)
    except ValueError:
        return []
    return list(questions.lives(TrackMessages(Wanted(id=id), 2))) if id else []


def _possible(row: Row) -> tuple[Verb, ...]:
    return tuple(
        verb for verb in Verb if row.message.state() in MOVES[verb] and (verb is not Verb.BOUNCE or row.message.envelope.proof)
    )


def _header(questions: Questions, id: str) -> tuple[str, ...] | None:
    """Its lines, as text; None when it cannot be read."""
    read = b""
    try:
        for piece in questions.content(ReadMessage(id, current_user.name)):
            read += piece
            if len(read) > HEADER:
                break
    except ControlUnavailable:
        return None
    text = read[:HEADER].decode(errors="replace").replace("\r\n", "\n").replace("\t", " ")
    lines = tuple(text.rstrip("\n").split("\n"))
    return (*lines, "…") if len(read) > HEADER else lines


def _some(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        return
