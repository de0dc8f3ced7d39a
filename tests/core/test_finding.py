"""Reports: what is known of one domain, and what a new look at it alone makes of them."""

from datetime import UTC, datetime, timedelta

from backupmx.core.finding import About, Report

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OWN, OTHER = About("tls", "one.example").odd("weak", "mend it"), About("mx", "two.example").good("fine")
NAME, DISK = About("ptr", "192.0.2.1").good("fine"), About("disk").good("fine")


def test_a_new_look_takes_the_place_of_what_was_found() -> None:
    """Also of what is found no more; the rest stays, and keeps its time."""
    new, worse = About("mx", "one.example").good("fine"), About("ptr", "192.0.2.1").bad("wrong", "mend it")
    later = NOW + timedelta(minutes=1)
    report = Report((DISK, NAME, OWN, OTHER), NOW).renewed("one.example", (worse, new), later)
    assert report.findings == (DISK, OTHER, worse, new)
    assert (report.at, report.seen("one.example"), report.seen("two.example")) == (NOW, later, NOW)


def test_a_domain_has_its_own_findings_and_those_of_names() -> None:
    """Not those of the machine, nor of other domains; and before the first look nothing."""
    assert Report((DISK, NAME, OWN, OTHER), NOW).of("one.example") == (NAME, OWN)
    assert Report().seen("one.example") is None
