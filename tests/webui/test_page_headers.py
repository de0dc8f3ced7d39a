"""What every answer carries, and which files the page is made of."""

import hashlib
import re
from pathlib import Path

import pytest
from canned import Canned
from flask.testing import FlaskClient
from visitor import Elements

import webui

HERE = Path(webui.__file__).parent
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/queue",
        "/track",
        "/report",
        "/settings",
        "/settings/users",
        "/login",
        "/login/code",
        "/message/x",
        "/nothing",
        "/healthz",
        "/metrics",
        "/api/v1/status",
        "/api/v1/queue",
    ],
)
def test_every_answer_is_guarded(reader: FlaskClient, stranger: FlaskClient, path: str) -> None:
    """Nothing is framed, sniffed, cached or sent on, whoever asks and whatever the answer."""
    for answer in (reader.get(path), stranger.get(path), reader.post(path)):
        assert set(answer.headers["Content-Security-Policy"].split("; ")) == POLICY
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/", "/queue", "/track", "/report", "/settings", "/settings/second", "/message/01JD0000000000000000000000"]
)
def test_a_page_needs_nothing_but_its_own_files(reader: FlaskClient, canned: Canned, path: str) -> None:
    """No inline script or style, no address of another site; every file that is named is there, and may be kept."""
    page = Elements(reader.get(path).text)
    for _, attributes in page.found:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
    assert not page.all("style")
    assert all(script.get("src") for script in page.all("script"))
    files = [f["src"] for tag in ("script", "img") for f in page.all(tag)] + [link["href"] for link in page.all("link")]
    assert len(files) >= 4
    for file in files:
        assert file and file.startswith("/static/")
        with reader.get(file) as answer:
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        with reader.get(file.partition("?")[0]) as answer:
            assert answer.headers["Cache-Control"] == "no-store"


def test_what_others_wrote_is_unchanged_and_licensed() -> None:
    """The copied files have the hashes that are written beside them."""
    table = (HERE / "static/VENDORED.md").read_text()
    named = re.findall(r"^\| `([^`]+)` \|.*`([^`]+LICENSE)` \| `([0-9a-f]{64})` \|$", table, re.MULTILINE)
    assert {name for name, _, _ in named} == {"htmx.min.js", "pico.classless.min.css"}
    for name, licence, digest in named:
        assert hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest() == digest
        assert (HERE / "static" / licence).read_text()


def test_templates_mark_nothing_as_safe() -> None:
    """I7: escaping is never switched off."""
    for file in (HERE / "templates").iterdir():
        text = file.read_text()
        assert "|safe" not in text.replace(" ", "")
        assert "autoescape" not in text
