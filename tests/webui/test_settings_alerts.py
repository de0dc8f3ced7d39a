"""Alerts on the settings: what is wrong, who is told, and a time without any."""

from datetime import timedelta

from canned import Canned
from flask.testing import FlaskClient
from guest import Home
from real import NOW
from samples import ago
from structlog.testing import capture_logs
from visitor import Elements, fields_of, words_of

from backupmx.control import answers, requests
from backupmx.core.alerts import Answered, Condition, Kind, Standing

HOSTILE = "<img src=x onerror=alert(1)> \u202e"


def test_what_is_wrong_is_read_by_everybody_and_muted_by_operators(home: Home) -> None:
    """With a real server behind it, which writes down who had it be quiet."""
    viewer, operator = home.guest("vera"), home.guest("otto")
    words = viewer.words("/settings/alerts")
    assert "What is wrong now" in words and "Nobody is told of anything: urls in the section [alerts]" in words
    assert "For 1 hour" not in words
    with capture_logs() as logged:
        for chosen, until in (("1h", "15:35 UTC"), ("4h", "18:35 UTC"), ("tomorrow", "24 Nov, 08:00 UTC")):
            assert f"Nobody is told of anything until {until}." in operator.sent("/settings/alerts/mute", until=chosen)
            assert f"Nobody is told of anything until {until}." in viewer.words("/settings/alerts")
        assert "From now on admins are told again." in operator.sent("/settings/alerts/mute", until="end")
    assert [entry["by"] for entry in logged] == ["otto"] * 4
    assert "End it now" not in operator.words("/settings/alerts")
    for nonsense in ("", "5h", "never"):
        assert operator.send("/settings/alerts/mute", until=nonsense).status_code == 400


def test_each_place_is_told_apart(reader: FlaskClient, canned: Canned) -> None:
    """What came of a message to each, in a server's own words."""
    down = Condition(Kind.PRIMARY_DOWN, "example.com", "Primary down", "It is down.", grave=True)
    post, phone = "mailto://smtp.example.net", "ntfy://ntfy.example"
    canned.alerts = answers.AlertsAnswer((Standing(down, ago(hours=3), None),), (post, phone), None)
    canned.tested = answers.TestedAnswer((Answered(post, None), Answered(phone, "403 forbidden")))
    page = reader.get("/settings/alerts")
    assert "Primary down It is down. for 3 h · nobody was told" in words_of(page)
    sent = reader.post("/settings/alerts/test", data=fields_of(page, "try"))
    assert sent.status_code == 303
    words = words_of(reader.get("/settings/alerts"))
    assert "mailto://smtp.example.net: a message is sent. Look whether it arrives." in words
    assert "ntfy://ntfy.example: it could not be sent. 403 forbidden" in words
    assert requests.TestAlerts("petra") in canned.asked


def test_a_time_without_alerts_goes_by_the_servers_clock(reader: FlaskClient, canned: Canned) -> None:
    """And who asked for it is told to the server."""
    form = fields_of(reader.get("/settings/alerts"), "quiet")
    form.setlist("until", ["4h"])
    assert reader.post("/settings/alerts/mute", data=form).status_code == 303
    assert canned.status
    assert requests.MuteAlerts(canned.status.time + timedelta(hours=4), "petra") in canned.asked
    assert NOW.date() == canned.status.time.date()


def test_what_a_server_said_stays_text(reader: FlaskClient, canned: Canned) -> None:
    """I7."""
    plain = {tag for tag, _ in Elements(reader.get("/settings/alerts").text).found}
    standing = Standing(Condition(Kind.DNS, HOSTILE, HOSTILE, HOSTILE, grave=False), ago(hours=3), ago(hours=1))
    canned.alerts = answers.AlertsAnswer((standing,), (HOSTILE,), None)
    canned.tested = answers.TestedAnswer((Answered(HOSTILE, HOSTILE),))
    page = reader.get("/settings/alerts")
    reader.post("/settings/alerts/test", data=fields_of(page, "try"))
    for answer in (page, reader.get("/settings/alerts")):
        found = Elements(answer.text)
        assert {tag for tag, _ in found.found} - plain <= {"bdi", "svg", "circle", "path", "time", "small", "h3"}
        assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
        assert "\u202e" not in answer.text
