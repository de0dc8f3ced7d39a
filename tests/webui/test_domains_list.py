"""A domain's recipients on the page: a list that comes, one that waits, one address; on a real control server."""

from io import BytesIO

from flask.testing import FlaskClient
from real import Running
from test_domains import Enter, admin, enter  # noqa: F401 - fixtures
from visitor import fields_of, token_in, words_of
from werkzeug.test import TestResponse

from backupmx.control.accounts import Role

HERE = "/domains/example.com"


def bring(client: FlaskClient, text: str) -> TestResponse:
    """What the preview says."""
    return client.post(f"{HERE}/list/preview", data={"csrf_token": token_in(client.get(HERE)), "text": text})


def hand_in(client: FlaskClient, text: str) -> str:
    fields = fields_of(bring(client, text), "confirm")
    fields["text"] = text
    assert client.post(f"{HERE}/list", data=fields).status_code == 303
    return words_of(client.get(HERE))


def listed(running: Running) -> list[str]:
    assert running.spool
    return [entry.local for entry in running.spool.roll.page("example.com", "", 1000) if entry.listed]


def names(*numbers: int) -> str:
    return "\n".join(f"user{number}@example.com" for number in numbers)


def test_a_list_counts_after_a_look_at_what_comes_and_goes(running: Running, enter: Enter) -> None:  # noqa: F811
    """Nothing counts before; then it does."""
    client = enter(Role.OPERATOR)
    words = words_of(bring(client, names(*range(20)) + "\nold@other.example\n<script>\n"))
    assert "The new list has 20 addresses. Today's has 0: 20 come, 0 go." in words
    assert "1 address of another domain" in words
    assert listed(running) == []
    assert "A list of 20 addresses counts from now on." in hand_in(client, names(*range(20)))
    assert len(listed(running)) == 20
    words = words_of(bring(client, names(*range(1, 21))))
    assert "Today's has 20: 1 come, 1 go." in words
    assert "They come user20@example.com They go user0@example.com" in words


def test_a_list_that_lacks_much_waits_for_approval(running: Running, enter: Enter) -> None:  # noqa: F811
    """It is said before, shown after, and counts with a button."""
    client = enter(Role.OPERATOR)
    hand_in(client, names(*range(20)))
    assert "will wait until somebody approves it" in words_of(bring(client, names(1)))
    words = hand_in(client, names(1))
    assert "A new list of 1 address waits for approval" in words
    assert len(listed(running)) == 20
    client.post(f"{HERE}/list/approve", data={"csrf_token": token_in(client.get(HERE))})
    assert "A list of 1 address counts from now on." in words_of(client.get(HERE))
    assert listed(running) == ["user1"]


def test_a_file_that_is_no_list_does_not_count(running: Running, enter: Enter) -> None:  # noqa: F811
    """Neither by preview nor by a form of one's own."""
    client = enter(Role.OPERATOR)
    data = {"csrf_token": token_in(client.get(HERE)), "file": (BytesIO(b"\x00\xff<b>nothing</b>\n" * 9), "x.txt")}
    answer = client.post(f"{HERE}/list/preview", data=data, content_type="multipart/form-data")
    assert "That is no list that could count." in words_of(answer)
    assert "<b>nothing" not in answer.text
    client.post(f"{HERE}/list", data={"csrf_token": token_in(client.get(HERE)), "text": "<b>"})
    assert "nothing was changed" in words_of(client.get(HERE))
    assert listed(running) == []


def test_a_list_may_be_long_and_not_endless(enter: Enter) -> None:  # noqa: F811
    """For who may bring one: longer than other forms, and up to a limit."""
    client = enter(Role.OPERATOR)
    assert "The new list has 20,000 addresses." in words_of(bring(client, names(*range(20_000))))
    assert bring(client, "x" * (2 * 2**20 + 1)).status_code == 413
    assert client.post(f"{HERE}/look", data={"csrf_token": "x" * 20_000}).status_code == 413
    viewer = enter(Role.VIEWER)
    assert bring(viewer, "x" * 20_000).status_code == 413


def test_one_address_is_looked_up_and_asked_for(running: Running, enter: Enter) -> None:  # noqa: F811
    """By its local part or whole; and nothing but an address goes to the primary."""
    client = enter(Role.OPERATOR)
    hand_in(client, names(1))
    assert "user1@example.com: on the list" in words_of(client.get(f"{HERE}?address=user1@example.com"))
    assert "nobody: nothing is known" in words_of(client.get(f"{HERE}?address=nobody"))
    data = {"csrf_token": token_in(client.get(HERE)), "address": "user1"}
    assert client.post(f"{HERE}/verify", data=data).location == f"{HERE}?address=user1#recipients"
    assert "The primary says: the primary says nothing of it now" in words_of(client.get(HERE))
    client.post(f"{HERE}/verify", data=data | {"address": "a>\r\nRCPT TO:<b"})
    assert "That is no address." in words_of(client.get(HERE))
