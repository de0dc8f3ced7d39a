"""A backup, for admins: one that is taken from here, and one that is put in place after a look at what it holds.

Knows: the forms, what of a backup passes through here, that nothing happens without a password.
Does not know: what is in a backup, how it is made and put in place.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from typing import IO

from flask import Blueprint, Flask, Response, flash, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from backupmx.control.answers import Refused
from backupmx.control.requests import GetBackup
from backupmx.errors import ControlUnavailable
from webui.frame import still
from webui.login import Access
from webui.settings.frame import back_to, by, shown, told
from webui.tongue import gettext as _

LARGEST = 33 * 2**20
"""Octets of a form with a backup; the server takes somewhat less. Large parts of a form go to a file, not to memory."""
LONGEST_KEYS = 16 * 1024
KEY = re.compile(r"age1[a-z0-9]{10,100}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]{10,2000}( [ -~]{0,200})?")
MOST_KEYS = 10
FORMS_WITH_FILES = {"pages.look_at_backup"}


def make_room(app: Flask) -> None:
    """A backup is larger than any other form; only who may bring one is read at such length."""

    @app.before_request
    def room_for_a_backup() -> None:
        if request.endpoint in FORMS_WITH_FILES and current_user.is_authenticated and current_user.may_govern:
            request.max_content_length = LARGEST


def install(pages: Blueprint, access: Access) -> None:  # noqa: C901 - one door after the other
    """Its doors."""

    @pages.get("/settings/backup")
    def backup() -> ResponseReturnValue:
        return _page(access)

    @pages.post("/settings/backup/download")
    @access.attempts.few_from_one_place
    def download_backup() -> ResponseReturnValue:
        keys = _keys()
        if keys is None:
            flash(_("That is no key to seal for. One begins with age1 or ssh-ed25519 and is public."))
            return back_to("backup")
        if not access.check(by(), request.form.get("password", "")):
            return _wrong_password(access)
        pieces = access.questions.content(GetBackup(by(), keys))
        try:
            # the first piece is read before the status line is written: what cannot be made is told as such
            first = next(pieces, b"")
        except ControlUnavailable as error:
            flash(_("No backup could be made. %(why)s", why=str(error)))
            return back_to("backup")
        return Response(
            chain((first,), pieces),
            content_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{_name(access, sealed=bool(keys))}"'},
        )

    @pages.post("/settings/backup/look")
    def look_at_backup() -> ResponseReturnValue:
        file = request.files.get("file")
        with file.stream if file else BytesIO() as stream:
            answer = access.questions.bring(_parts(stream), request.form.get("identity", "")[:LONGEST_KEYS])
        if isinstance(answer, Refused):
            told(answer, "")
            return back_to("backup")
        number, found = answer
        return shown(access.questions, "settings_restore.html", number=number, label=found.label, problems=found.problems)

    @pages.post("/settings/backup/restore")
    @access.attempts.few_from_one_place
    def restore_backup() -> ResponseReturnValue:
        number = request.form.get("number", "")
        if not access.check(by(), request.form.get("password", "")):
            return _wrong_password(access)
        answer = access.questions.restore(int(number) if number.isdecimal() and len(number) < 10 else 0, by())
        if isinstance(answer, Refused):
            told(answer, "")
            return back_to("backup")
        return render_template("settings_restored.html", **still())


def _page(access: Access) -> str:
    return shown(access.questions, "settings_backup.html", mebibytes=LARGEST // 2**20 - 1)


def _wrong_password(access: Access) -> ResponseReturnValue:
    """The page again, and one attempt fewer."""
    flash(_("That is not your password."))
    return _page(access), 401


def _keys() -> tuple[str, ...] | None:
    """None when one of them is none."""
    typed = request.form.get("keys", "")[:LONGEST_KEYS].splitlines()
    keys = tuple(line.strip() for line in typed if line.strip())
    return keys if len(keys) <= MOST_KEYS and all(KEY.fullmatch(key) for key in keys) else None


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(48 * 1024), b"")


def _name(access: Access, *, sealed: bool) -> str:
    status = access.questions.status()
    host = re.sub(r"[^a-z0-9.-]", "", status.hostname.lower())
    return f"backupmx-{host}-{status.time:%Y%m%d-%H%M}.tar{'.age' if sealed else ''}"
