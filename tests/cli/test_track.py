"""`backupmx track`: what became of a message."""

import json
from datetime import timedelta

import pytest
from control.house import NOW, House, an_id

from backupmx.core.message import Client, Envelope, Recipient
from backupmx.core.outcome import Delivered, Reply
from backupmx.core.track import Passed
from cli.conftest import Run
from cli.test_root import on_a_terminal

HOSTILE = "\x1b[2J\u202e[bold]x"


def deliver(house: House, tls: str | None = None) -> None:
    """The primary takes everything."""

    async def settle() -> None:
        done = Delivered(Reply(250, "2.0.0 ok"), "mail.example", tls)
        later = NOW + timedelta(minutes=10)
        for lease in await house.spool.lease("one.example", "courier", later, later, 100):
            await house.spool.settle(lease, dict.fromkeys(lease.recipients, done), later, later)

    house.do(settle())


def relay(house: House, number: int, helo: str = "client.example") -> None:
    envelope = Envelope("a@b.example", (Recipient("user@one.example", "one.example"),), Client("192.0.2.1", helo))
    house.do(house.spool.track.note([Passed(an_id(number), NOW, 2100, envelope, Reply(250, "2.0.0 ok"), "mail.example", None)]))


def test_a_life_is_told_in_lines(house: House, run: Run) -> None:
    """Every event with its time, who said what, and who did what."""
    house.take(1, to=("user@one.example", "other@one.example"))
    house.try_all("4.2.0 try later")
    run("queue", "hold", an_id(1), "--why", "to look at")
    run("queue", "release", an_id(1))
    deliver(house, "TLSv1.3")
    done = run("track", an_id(1))
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        f"id: {an_id(1)}",
        "from: sender@elsewhere.example",
        "to: user@one.example: delivered",
        "to: other@one.example: delivered",
    ]
    assert lines[4] == "2026-11-23 12:00:00 UTC  accepted from 192.0.2.1 (client.example), 17 B"
    everybody = "user@one.example, other@one.example"
    assert lines[5] == f"2026-11-23 12:00:00 UTC  put off for {everybody}: mail.example answered 451 4.2.0 try later"
    assert lines[6].startswith("2026-11-23 12:00:00 UTC  held by ")
    assert lines[6].endswith(": to look at")
    assert lines[7].startswith("2026-11-23 12:00:00 UTC  released by ")
    assert lines[8] == f"2026-11-23 12:10:00 UTC  delivered to {everybody}: mail.example answered 250 2.0.0 ok (TLSv1.3)"
    assert len(lines) == 9


def test_an_abbreviation_means_all_that_begin_so(house: House, run: Run) -> None:
    house.take(1)
    house.take(2)
    done = run("track", an_id(1)[:25].lower())
    assert [line for line in done.stdout.splitlines() if line.startswith("id: ")] == [f"id: {an_id(2)}", f"id: {an_id(1)}"]
    assert "still here: waiting" in done.stdout


def test_columns_for_a_pipe(house: House, run: Run) -> None:
    house.take(1, to=("user@one.example", "other@one.example"))
    deliver(house)
    house.take(2, sender="")
    relay(house, 3)
    head, third, second, first = run("track").stdout.splitlines()
    assert head.split() == ["ID", "ARRIVED", "(UTC)", "STATE", "FROM", "TO", "HOST", "LAST", "REPLY"]
    assert third.split()[:4] == [an_id(3), "2026-11-23", "12:00:00", "relayed"]
    assert second.split()[3:] == ["waiting", "<>", "user@one.example", "-", "-"]
    assert first.split()[3:6] == ["delivered", "sender@elsewhere.example", "user@one.example"]
    assert first.endswith("(+1)  mail.example  250 2.0.0 ok")


def test_json_is_one_object_a_line(house: House, run: Run) -> None:
    """The outcome of each recipient: code, enhanced code, text, host, TLS, and when."""
    house.take(1)
    deliver(house, "TLSv1.3")
    house.take(2)
    newest, oldest = (json.loads(line) for line in run("track", "--json").stdout.splitlines())
    assert list(oldest) == [
        *("queue_id", "arrival_time", "message_size", "sender", "recipients"),
        *("state", "ended", "client", "events", "events_left_out"),
    ]
    said = {"reply": "250 2.0.0 ok", "host": "mail.example", "tls": "TLSv1.3", "time": "2026-11-23T12:10:00Z"}
    assert oldest["recipients"] == [{"address": "user@one.example", "outcome": "delivered", **said}]
    (event,) = oldest["events"]
    assert event == {"event": "delivered", "recipients": ["user@one.example"], "times": 1, "since": None, **said}
    assert (oldest["state"], oldest["ended"]) == ("delivered", "2026-11-23T12:10:00Z")
    assert (newest["state"], newest["ended"], newest["events"]) == ("waiting", None, [])
    assert newest["recipients"][0]["outcome"] == "waiting"


def test_what_an_admin_removed_is_told_with_the_name(house: House, run: Run) -> None:
    house.take(1)
    house.try_all("5.1.1 no such user", fail=True)
    run("queue", "delete", an_id(1), "--yes")
    (life,) = (json.loads(line) for line in run("track", "--json").stdout.splitlines())
    assert life["recipients"][0]["outcome"] == "removed"
    assert life["recipients"][0]["reply"] == "550 5.1.1 no such user"
    assert [event["event"] for event in life["events"]] == ["failed", "removed"]
    assert life["events"][1]["by"]
    assert "removed by" in run("track", an_id(1)).stdout


def test_filters_are_those_of_the_question(house: House, run: Run) -> None:
    house.take(1, sender="anna@elsewhere.example", arrived=NOW - timedelta(days=3))
    house.take(2, to=("bob@one.example",))
    for options, expected in (
        (("--sender", "anna"), [1]),
        (("--recipient", "BOB@one"), [2]),
        (("--host", "client.example"), [2, 1]),
        (("--since", "2026-11-22"), [2]),
        (("--until", "2026-11-23T13:00+01:00"), [1]),
        (("--until", "2026-11-23 12:00"), [1]),
        (("--limit", "1"), [2]),
    ):
        lines = run("track", "--json", *options).stdout.splitlines()
        assert [json.loads(line)["queue_id"] for line in lines] == [an_id(number) for number in expected], options


def test_nothing_found_is_exit_1(house: House, run: Run) -> None:
    for arguments in (("track",), ("track", an_id(1)), ("track", "--sender", "nobody", "--json")):
        done = run(*arguments)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == "backupmx: nothing is known of such a message\n"


@pytest.mark.parametrize("arguments", [("U",), ("--since", "yesterday"), ("--limit", "0")])
def test_what_cannot_be_read_is_a_usage_error(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("track", *arguments).exit_code == 2


def test_untrusted_text_stays_text(house: House, run: Run) -> None:
    """I7: replies and names reach the terminal without anything that it would obey."""
    house.take(1, helo=HOSTILE)
    house.try_all(HOSTILE)
    for arguments in (("track", an_id(1)), ("track",), ("track", "--json")):
        out = run(*arguments).stdout
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "[bold]x" in out


def test_a_terminal_tells_the_one_message_that_is_found(house: House) -> None:
    """Asked for by whatever means; of several there is a line each."""
    environment = {"BACKUPMX_CONFIG": str(house.path / "b.toml")}
    house.take(1, sender="anna@elsewhere.example")
    deliver(house)
    house.take(2)
    told = on_a_terminal("track", "--sender", "anna@", **environment)
    assert "2026-11-23 12:10:00 UTC  delivered to user@one.example: mail.example answered 250 2.0.0 ok" in told
    assert "LAST REPLY" in on_a_terminal("track", **environment)
