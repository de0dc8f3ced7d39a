"""The monthly report."""

from canned import Canned
from flask.testing import FlaskClient
from visitor import Elements, words_of

from backupmx.control.requests import GetReport


def test_a_month_is_one_sentence_and_two_tables(reader: FlaskClient, canned: Canned) -> None:
    """Outages, what was kept and lost, the longest wait; then the books, which balance (I11)."""
    words = words_of(reader.get("/report"))
    assert GetReport("2026-11") in canned.asked
    assert "November 2026, so far" in words
    assert "4 outages, 2,194 messages kept, 0 lost, longest wait 2 h 3 min." in words
    assert "nothing is known before 3 Nov 2026, 14:35:07 UTC" in words
    assert "example.com 3 6 h 53 min 2,056 0 2 h 3 min" in words
    assert "example.com 2,056 865 2 1 1,187 1 0 0 0" in words
    assert "All 2,194 984 2 1 1,204 1 2 0 0" in words


def test_other_months_are_a_click_away(reader: FlaskClient, canned: Canned) -> None:
    """This one and two before it; whatever else stands in the address is read as a month, or means this one."""
    links = [link["href"] for link in Elements(reader.get("/report").text).all("a") if "month=" in (link["href"] or "")]
    assert links == ["/report?month=2026-11", "/report?month=2026-10", "/report?month=2026-09"]
    for asked, meant in (
        ("2026-10", "2026-10"),
        ("2026-1", "2026-01"),
        ("2027-01", "2026-11"),
        ("x", "2026-11"),
        ("0001-01", "2026-11"),
    ):
        assert reader.get(f"/report?month={asked}").status_code == 200
        assert canned.asked[-1] == GetReport(meant)


def test_a_month_of_which_nothing_is_known_says_so(reader: FlaskClient, canned: Canned) -> None:
    canned.silent = (GetReport,)
    page = reader.get("/report?month=2026-01")
    assert page.status_code == 200
    assert "January 2026" in words_of(page) and "trouble inside" in words_of(page)
