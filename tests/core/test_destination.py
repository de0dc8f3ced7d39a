"""Where alerts go: what may be seen of it, and whether it leads through what alerts are about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import destination

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"mailto://user:{SECRET}@smtp.example.net?to=admin@example.net", "mailto://smtp.example.net"),
        (f"ntfys://{SECRET}", "ntfys://…"),
        (f"ntfy://{SECRET}.example", "ntfy://…"),
        (f"ntfys://ntfy.example.net/{SECRET}", "ntfys://ntfy.example.net"),
        (f"json://192.0.2.1:8080/{SECRET}?key={SECRET}", "json://192.0.2.1"),
        (f"tgram://123456789:{SECRET}/chat", "tgram://…"),
        (f"discord://{SECRET}/{SECRET}", "discord://…"),
        (f"matrixs://{SECRET}?mode=t2bot", "matrixs://…"),
        (f"slack://{SECRET}.a.b/x", "slack://…"),
        (f"gotifys://localhost/{SECRET}", "gotifys://localhost"),
    ],
)
def test_no_more_of_it_is_shown_than_its_scheme_and_its_host(url: str, shown: str) -> None:
    """And no host where that is a secret; what others say of it is made clean."""
    assert destination.shown(destination.destination(url)) == shown
    said = destination.scrubbed(f"Max retries exceeded with url: {url} ({SECRET}, %73)", url)
    assert SECRET not in said
    assert said.startswith("Max retries exceeded with url: ")
    assert SECRET not in destination.mark(url)


@pytest.mark.parametrize(
    "text", ["", SECRET, f"://{SECRET}", f"a b://{SECRET}", f"n-t://{SECRET}", f"ntfy://{SECRET}\n", "ntfy://[", 3]
)
def test_what_is_no_url_is_refused_without_being_repeated(text: object) -> None:
    """It may be most of a secret."""
    with pytest.raises(ValueError, match=r"^must be a URL as Apprise has them") as caught:
        destination.destination(text)
    assert SECRET not in str(caught.value)


def test_a_file_has_one_a_line_with_comments() -> None:
    """What is wrong is told by its line."""
    assert destination.destinations("# mine\n\n ntfy://a/b \njson://c.example\n") == ("ntfy://a/b", "json://c.example")
    with pytest.raises(ValueError, match=r"^line 2: must be a URL"):
        destination.destinations(f"ntfy://a/b\n{SECRET}\n")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mailto://user:pw@smtp.example.net?to=admin@example.net", None),
        ("mailto://user:pw@smtp.example.net?to=a@example.net,Admin@Example.COM", "it is mail for example.com"),
        ("mailto://user:pw@smtp.example.net/admin@example.com", "it is mail for example.com"),
        ("mailtos://user:pw@example.net?to=a@example.net&bcc=b%40example.com", "it is mail for example.com"),
        ("mailto://user:pw@example.com?smtp=smtp.example.net", "it goes by way of example.com"),
        ("mailto://user:pw@other.example?smtp=mail.example.com&to=a@example.net", "it goes by way of mail.example.com"),
        ("mailtos://Mail.example.com?from=x@other.example&to=a@example.net", "it goes by way of mail.example.com"),
        ("mailto://smtp.example.net?from=me@example.com", "it is mail for example.com"),
        ("matrixs://user:pw@mail.example.com/#room", "it goes by way of mail.example.com"),
        ("tgram://mail.example.com/x", None),
        ("ntfys://ntfy.example.net/example.com", None),
    ],
)
def test_an_alert_must_not_go_by_way_of_what_it_is_about(url: str, why: str | None) -> None:
    """Neither by the primary's host, nor as mail for a domain that is protected."""
    found = destination.led_astray(url, {"mail.example.com"}, {"example.com"})
    assert (found is None) if why is None else (found or "").startswith(why)


@given(st.text())
def test_whatever_is_taken_can_be_shown_and_scrubbed(text: str) -> None:
    """Nothing that was taken as a URL is trouble later."""
    try:
        url = destination.destination(f"mailto://{text}")
    except ValueError:
        return
    destination.shown(url)
    destination.scrubbed("x", url)
    destination.led_astray(url, {"mail.example.com"}, {"example.com"})
