"""What strangers write, on every page (I7)."""

from urllib.parse import urlencode

import msgspec
import pytest
from canned import Canned
from flask.testing import FlaskClient
from past import gone
from samples import NOW, OUTAGE, ago, row, status
from visitor import Elements, words_of

from backupmx.core.events import Held, Removed, Result, Tried
from backupmx.core.finding import About
from backupmx.core.history import Outage
from backupmx.core.message import Client, Hold
from backupmx.core.track import Record, Standing

RLO = "\u202e"
FIELDS = {
    "queue": ("domain", "sender", "recipient", "subject", "state", "older", "after"),
    "track": ("id", "sender", "recipient", "host", "since", "until", "after"),
    "report": ("month",),
}
"""What may stand in the address of a page."""
HOSTILE = [
    "<script>alert(1)</script>@evil.example",
    '"><img src=x onerror=alert(1)>@evil.example',
    "{{7*7}}{% raw %}@evil.example",
    f"moc.live@{RLO}elpmaxe",
    "a\x00b\x1b[2Jc\r\nd@evil.example",
    "\u2066\u2069\u200b\ufeff@evil.example",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_untrusted_text_stays_text(reader: FlaskClient, canned: Canned, text: str) -> None:
    """I7: whatever a stranger writes, in whichever place, it makes no element and turns no line around."""
    paths = ["/", "/queue", "/track", "/report"]
    plain = {path: {tag for tag, _ in Elements(reader.get(path).text).found} for path in paths}
    one = {tag for tag, _ in Elements(reader.get(f"/message/{canned.rows[3].message.id}").text).found}
    client = Client("192.0.2.1", text)
    canned.rows = [
        row(1, text, (f"{text}@example.com",), said=f"550 {text}", client=client, subject=text),
        row(2, hold=Hold(text, text, NOW)),
        row(3, damage=text),
    ]
    canned.content = f"Subject: {text}\r\nX-{text}: {text}\r\n\r\n".encode()
    canned.records = {
        canned.rows[0].message.id: Record((Tried(NOW, Result.DEFERRED, (0,), text, text, text), Held(NOW, text, text)))
    }
    canned.gone = [gone(9, Standing.REMOVED, Removed(NOW, text, text), arrived=ago(days=1), sender=text, client=client)]
    canned.findings = (About("primary", text).bad(text, text), About("mx", text).good(text))
    canned.outages = (Outage("example.com", ago(hours=1), None, text),)
    broken = msgspec.structs.replace(OUTAGE.domains[1].primary, last_error=text)
    canned.status = status(msgspec.structs.replace(OUTAGE.domains[1], primary=broken))
    ids = [known.message.id for known in canned.rows] + [canned.gone[0].id]
    paths += [f"/message/{id}" for id in ids]
    paths += [f"/message/{text.replace('/', '')}"]
    paths += [f"/{page}?{urlencode(dict.fromkeys(names, text))}" for page, names in FIELDS.items()]
    for path in paths:
        page = reader.get(path)
        found = Elements(page.text)
        assert {tag for tag, _ in found.found} <= plain.get(path.partition("?")[0], one) | {
            "p",
            "nav",
            "b",
            "small",
            "ol",
            "footer",
        }, path
        assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
        assert not set(page.text) & set(RLO + "\x00\x1b\r\u2066\u2069\u200b\ufeff")
        assert "{{7*7}}" in words_of(page) or "7*7" not in page.text
    if RLO in text:
        assert "moc.live@⟨U+202E⟩elpmaxe" in words_of(reader.get("/"))


def test_endless_text_is_cut(reader: FlaskClient, canned: Canned) -> None:
    """A list stays a list, whatever a server says."""
    usual = {path: len(reader.get(path).text) for path in ("/", "/queue", "/track")}
    canned.rows = [row(1, "a" * 3000 + "@evil.example", said="550 " + "b" * 9000, subject="c" * 200)]
    canned.content = b"X-Long: " + b"d" * 10**6 + b"\r\n" + b"Y: e\r\n" * 9000 + b"\r\n"
    for path, size in usual.items():
        assert len(reader.get(path).text) < size + 4000
    assert len(reader.get(f"/message/{canned.rows[0].message.id}").text) < 60_000
