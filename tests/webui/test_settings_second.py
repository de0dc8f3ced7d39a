"""A second factor: set up on the page, asked for after the password, counted once, and guessed in vain."""

from xml.etree import ElementTree

from canned import PASSWORD
from guest import Home, secret_on
from structlog.testing import capture_logs
from visitor import words_of

from backupmx.control.accounts import Role


def test_it_is_set_up_with_a_code_and_asked_for_from_then_on(home: Home) -> None:
    """The whole way: the secret, a wrong code, a right one, the recovery codes once, the next login."""
    guest = home.guest("vera")
    assert "Second factor off" in guest.words("/settings")
    page = guest.client.get("/settings/second")
    secret = secret_on(page)
    assert secret_on(guest.client.get("/settings/second")) == secret, "a reload makes no other than the phone has seen"
    assert "That code does not fit." in guest.sent("/settings/second", code="000000")
    assert secret_on(guest.client.get("/settings/second")) == secret
    assert guest.send("/settings/second", code=home.code(secret)).headers["Location"] == "/settings/recovery"
    shown = guest.client.get("/settings/recovery")
    assert shown.text.count("<code>") == 10
    assert guest.client.get("/settings/recovery").headers["Location"] == "/settings", "they are shown once"
    words = guest.words("/settings")
    assert "Second factor on" in words and "10 recovery codes are left." in words
    assert guest.client.get("/settings/second").headers["Location"] == "/settings", "no other is put in its place"
    home.minutes_later()
    again = home.stranger()
    assert again.log_in("vera").headers["Location"] == "/login/code"
    assert not again.inside
    assert again.give_code(home.code(secret)).headers["Location"] == "/"
    assert again.inside


def test_the_drawing_is_what_the_policy_allows(home: Home) -> None:
    """An element of the page: shapes, and nothing of another address, no style, no script."""
    guest = home.guest("vera")
    text = guest.client.get("/settings/second").text
    drawing = text[text.index("<svg", text.index('class="drawing"')) :]
    shapes = ElementTree.fromstring(drawing[: drawing.index("</svg>") + 6])
    assert {shape.tag for shape in shapes.iter()} <= {"svg", "path", "g"}
    assert not {name for shape in shapes.iter() for name in shape.attrib if name in ("style", "href") or name.startswith("on")}


def test_nothing_hints_at_it_before_the_password_is_right(home: Home) -> None:
    """A wrong password is the same for who has one and who has none; the second step is nobody's without the first."""
    home.with_second(home.guest("vera"))
    said = {name: words_of(home.stranger().log_in(name, "wrong")) for name in ("vera", "otto", "nobody")}
    assert len(set(said.values())) == 1
    stranger = home.stranger()
    assert stranger.client.get("/login/code").headers["Location"] == "/login"
    assert stranger.client.get("/login/code", query_string={"name": "vera"}).headers["Location"] == "/login"


def test_a_code_is_not_good_a_second_time(home: Home) -> None:
    """Whoever looked over a shoulder, and knows the password too, comes late."""
    secret, codes = home.with_second(home.guest("vera"))
    first, thief = home.stranger(), home.stranger()
    first.log_in("vera")
    thief.log_in("vera")
    code = home.code(secret)
    assert first.give_code(code).status_code == 302
    assert "it was used before" in words_of(thief.give_code(code))
    assert not thief.inside
    second, late = home.stranger(), home.stranger()
    second.log_in("vera")
    late.log_in("vera")
    assert second.give_code(codes[0]).status_code == 302
    assert late.give_code(codes[0]).status_code == 401
    assert "9 recovery codes are left." in second.words("/settings")


def test_codes_are_not_guessed_from_one_place(home: Home) -> None:
    """Five wrong ones, then a pause, for the right one as well."""
    secret, _ = home.with_second(home.guest("vera"))
    guesser = home.stranger()
    guesser.log_in("vera")
    with capture_logs() as logged:
        for number in range(5):
            assert guesser.give_code(f"{number:06}").status_code == 401
    assert [entry["account"] for entry in logged if entry["event"] == "second factor refused"] == ["vera"] * 5
    form = {"code": home.code(secret), "csrf_token": "x"}
    assert guesser.client.post("/login/code", data=form).status_code in (400, 429)
    assert guesser.give_code(home.code(secret)).status_code == 429
    assert not guesser.inside


def test_codes_are_not_guessed_from_everywhere_together(home: Home) -> None:
    """Ten wrong ones for one name within an hour, from whichever addresses; other names are not held up."""
    secret, _ = home.with_second(home.guest("vera"))
    others, _ = home.with_second(home.guest("otto"))
    for number in range(10):
        guesser = home.stranger()
        guesser.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        guesser.log_in("vera")
        assert guesser.give_code("000000").status_code == 401
    for name, status, right in (("vera", 429, secret), ("otto", 302, others)):
        late = home.stranger()
        late.client.environ_base["REMOTE_ADDR"] = "203.0.113.1"
        late.log_in(name)
        assert late.give_code(home.code(right)).status_code == status


def test_the_first_step_is_good_for_a_few_minutes_and_for_one_password(home: Home) -> None:
    """Afterwards, and after a change of the password, it begins anew."""
    secret, _ = home.with_second(home.guest("vera"))
    slow, late = home.stranger(), home.stranger()
    slow.log_in("vera")
    late.log_in("vera")
    home.accounts.set_user("vera", Role.VIEWER, "another password")
    assert late.client.get("/login/code").headers["Location"] == "/login"
    home.accounts.set_user("vera", Role.VIEWER, PASSWORD)
    slow.log_in("vera")
    home.watch.now = home.watch.now.replace(minute=41)
    assert slow.client.get("/login/code").headers["Location"] == "/login"
    assert slow.client.post("/login/code", data={"code": home.code(secret)}).status_code in (302, 400)
    assert not slow.inside


def test_the_way_on_survives_both_steps_and_leads_nowhere_else(home: Home) -> None:
    """A link to a message, and a link to another site."""
    secret, codes = home.with_second(home.guest("vera"))
    for target, leads, code in (("/queue", "/queue", home.code(secret)), ("//evil.example/", "/", codes[0])):
        guest = home.stranger()
        guest.log_in("vera", next=target)
        assert guest.give_code(code).headers["Location"] == leads


def test_it_is_turned_off_by_who_knows_the_password(home: Home) -> None:
    """Not by who finds a browser open."""
    guest = home.guest("vera")
    home.with_second(guest)
    answer = guest.send("/settings/second/off", password="wrong")
    assert answer.status_code == 401
    assert "That is not your password." in words_of(answer)
    assert "Second factor on" in guest.words("/settings")
    assert "Second factor off" in guest.sent("/settings/second/off", password=PASSWORD)
    assert home.stranger().log_in("vera").headers["Location"] == "/"


def test_no_secret_is_in_the_log_or_in_a_cookie(home: Home) -> None:
    """Neither the one for the app nor the recovery codes."""
    guest = home.guest("vera")
    with capture_logs() as logged:
        secret, codes = home.with_second(guest)
        late = home.stranger()
        late.log_in("vera")
        late.give_code(home.code(secret))
    cookie = guest.client.get_cookie("backupmx")
    assert cookie
    for text in (secret, *codes, home.code(secret)):
        assert text not in str(logged)
        assert text not in cookie.value
    assert secret not in guest.client.get("/settings").text
