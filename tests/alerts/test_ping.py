"""Who hears nothing any more can tell that this machine is dead; and it does not say that it is well when it is not."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from alerts.house import house, web


async def test_it_is_pinged_as_often_as_asked_for_while_this_machine_is_well(tmp_path: Path) -> None:
    """A primary's outage is what it is for; books that do not balance are not."""
    with web() as served:
        ping = {"ping_url": f"http://{served.place}/a/b?c=d", "ping_interval": timedelta(minutes=5)}
        with house(tmp_path, **ping) as found:
            found.down()
            await found.look(11)
            assert served.asked == ["GET /a/b?c=d"] * 3
            found.difference = 1
            await found.look(10)
            found.difference = 0
            assert len(served.asked) == 3
            await found.look()
            assert len(served.asked) == 4


async def test_one_that_does_not_answer_is_told_once_until_it_does(tmp_path: Path) -> None:
    """In the log, without its path, which is secret."""
    with web() as served, house(tmp_path, ping_url=f"http://{served.place}/s3cr3t", ping_interval=timedelta(minutes=1)) as found:
        served.status = 404
        with capture_logs() as logged:
            await found.look(3)
            served.status = 200
            await found.look(3)
    assert [line["event"] for line in logged] == ["ping failed", "ping answered"]
    assert "s3cr3t" not in str(logged)


@pytest.mark.parametrize("known", [True, False])
async def test_by_https_only_to_whom_it_seems_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """By an authority of the system."""
    ca, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    (ca if known else other).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with web(context) as served, house(tmp_path, ping_url=f"https://{served.place}/") as found, capture_logs() as logged:
        await found.look()
    assert served.asked == (["GET /"] if known else [])
    assert [line["event"] for line in logged] == ([] if known else ["ping failed"])
