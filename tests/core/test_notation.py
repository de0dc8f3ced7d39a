"""Times, names and addresses as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import notation
from backupmx.core.notation import Dialect, Endpoint, Mailhost

SECONDS = st.integers(min_value=0, max_value=10**8).map(lambda seconds: timedelta(seconds=seconds))


@given(SECONDS)
def test_a_time_is_read_back_as_it_is_spelt(length: timedelta) -> None:
    """Nothing is rounded."""
    assert notation.duration(notation.spell_duration(length)) == length


@pytest.mark.parametrize("text", ["", "5", "5 w", "-5m", "5m ", "1h30m", "1.5h", "\u0665m", 5, None, "9" * 400 + "d"])
def test_what_is_no_time_is_refused(text: object) -> None:
    """With an example of what is."""
    with pytest.raises(ValueError, match='like "30s"'):
        notation.duration(text)


@given(st.text(max_size=80))
def test_a_domain_s_normal_form_is_its_own(name: str) -> None:
    """I2: one domain has one spelling, in ASCII and lower case, or is none; no text is trouble."""
    try:
        normal = notation.domain(name)
    except ValueError as error:
        assert str(error) == 'must be a domain name, like "example.com"'
        return
    assert notation.domain(normal) == normal
    assert normal.isascii()
    assert normal == normal.lower()
    assert not set(normal) & set("@%!:/\\ \x00\r\n")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "-a.example",
        "a-.example",
        "a" * 64 + ".example",
        "a." * 127 + "aa",
        "192.0.2.1",
        "::1",
        "a_b",
    ],
)
def test_what_is_no_domain_is_refused(name: str) -> None:
    """By the rules of names, and never an address."""
    with pytest.raises(ValueError, match="must be a domain name"):
        notation.domain(name)


@given(st.text(max_size=40))
def test_an_endpoint_is_read_back_as_it_is_spelt(text: str) -> None:
    """No text is trouble."""
    for parse in (notation.endpoint, notation.listener, notation.nameserver):
        try:
            found = parse(text)
        except ValueError:
            continue
        assert parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mail.example.com", Endpoint("mail.example.com", 25)),
        ("MAIL.example.com:2525", Endpoint("mail.example.com", 2525)),
        ("192.0.2.1", Endpoint("192.0.2.1", 25)),
        ("[2001:DB8::1]", Endpoint("2001:db8::1", 25)),
        ("[2001:db8::1]:26", Endpoint("2001:db8::1", 26)),
        ("mäil.example", Endpoint("xn--mil-qla.example", 25)),
    ],
)
def test_a_primary_may_go_without_its_port(text: str, found: Endpoint) -> None:
    """Then it is 25."""
    assert notation.endpoint(text, 25) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":25",
        "a:",
        "a:x",
        "a:-1",
        "a:65536",
        "a:\u0662",
        "a b",
        "a:25:26",
        "[::1",
        "[::1]25",
        "[a]",
        "2001:db8::1",
        "a\n",
        "fe80::1%0",
    ],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    """Also an IPv6 address without its brackets, whose end could be a port."""
    with pytest.raises(ValueError, match="must be"):
        notation.endpoint(text, 25)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mail.example.com", Mailhost("mail.example.com", 25)),
        ("smtps://mail.example.com", Mailhost("mail.example.com", 465, Dialect.SMTPS)),
        ("smtps://[2001:db8::1]:4650", Mailhost("2001:db8::1", 4650, Dialect.SMTPS)),
        ("lmtp://10.0.0.1:24", Mailhost("10.0.0.1", 24, Dialect.LMTP)),
    ],
)
def test_a_primary_may_say_what_it_speaks(text: str, found: Mailhost) -> None:
    """And is read back as it is spelt."""
    assert notation.mailhost(text) == found
    assert notation.mailhost(str(found)) == found


@pytest.mark.parametrize("text", ["lmtp://mail.example.com", "lmtp://10.0.0.1:25", "smtps://", "smtp://a", "http://a:25", 25])
def test_and_what_nobody_speaks_is_refused(text: object) -> None:
    """LMTP has no port of its own, and never 25 (RFC 2033 section 5)."""
    with pytest.raises(ValueError, match="must be"):
        notation.mailhost(text)


@pytest.mark.parametrize("text", ["", "ab", "0" * 63, "g" * 64, "A" * 43 + "-", "A" * 40 + "====", 3, None])
def test_what_is_no_digest_is_no_pin(text: object) -> None:
    """A pin that nothing can match would be found out in an outage."""
    with pytest.raises(ValueError, match="SHA-256"):
        notation.pin(text)
