"""`backupmx queue …`: seeing and steering what waits."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from control.house import LONG_AGO, NOW, House, an_id

from backupmx.control.requests import ListQueue
from backupmx.core.message import Proof, State
from cli.conftest import Run

HOSTILE = "\x1b[2J\x1b]0;owned\x07 [bold red]x[/] :smile: \u202egnp.exe\u200b \x9b31m \x7f"


def states(house: House) -> dict[str, State]:
    return {row.message.id: row.message.state() for row in house.client.listing(ListQueue())}


def test_json_is_one_object_a_line_with_postfix_s_names(house: House, run: Run) -> None:
    """Tools that read `postqueue -j` read this."""
    house.take(1, to=("user@one.example", "other@one.example"))
    house.try_all("4.2.0 try later")
    house.take(2, sender="")
    done = run("queue", "list", "--json")
    assert done.exit_code == 0
    newest, oldest = (json.loads(line) for line in done.stdout.splitlines())
    assert list(oldest) == [
        "queue_name",
        "queue_id",
        "arrival_time",
        "message_size",
        "sender",
        "recipients",
        "state",
        "attempts",
        "next_attempt",
        "expires",
        "last_reply",
        "tls",
        "subject",
    ]
    assert oldest["queue_name"] == "deferred"
    assert oldest["queue_id"] == an_id(1)
    assert oldest["arrival_time"] == int(NOW.timestamp())
    assert oldest["message_size"] > 0
    assert oldest["sender"] == "sender@elsewhere.example"
    assert oldest["recipients"] == [
        {"address": "user@one.example", "delay_reason": "451 4.2.0 try later"},
        {"address": "other@one.example", "delay_reason": "451 4.2.0 try later"},
    ]
    assert (oldest["state"], oldest["attempts"], oldest["last_reply"]) == ("waiting", 1, "451 4.2.0 try later")
    assert oldest["next_attempt"] == "2026-11-23T12:05:00Z"
    assert oldest["expires"] == "2026-12-03T12:00:00Z"
    assert oldest["tls"] is None
    assert newest["sender"] == ""
    assert newest["recipients"] == [{"address": "user@one.example", "delay_reason": ""}]


def test_mailq_is_the_list_for_programs(house: House, run: Run) -> None:
    """Postfix hands find what they look for."""
    house.take(1)
    assert run("mailq", "--json").stdout == run("queue", "list", "--json").stdout
    assert run("mailq", "--json").stdout.count(an_id(1)) == 1


def test_a_pipe_gets_aligned_columns(house: House, run: Run) -> None:
    """No borders and no colours where no terminal is."""
    house.take(1)
    house.take(2, sender="", to=("user@two.example", "b@two.example", "c@one.example"))
    head, newest, oldest = run("queue", "list").stdout.splitlines()
    assert head.split() == ["ID", "STATE", "SIZE", "AGE", "TRIES", "NEXT", "FROM", "TO", "LAST", "REPLY"]
    assert newest.startswith(f"{an_id(2)}  waiting")
    assert newest.index("<>") == oldest.index("sender@") == head.index("FROM")
    assert "user@two.example (+2)" in newest
    assert newest.isascii()


def test_an_empty_queue_is_no_trouble(run: Run) -> None:
    """Nothing on standard output, a word on standard error, exit 0."""
    done = run("queue", "list")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "backupmx: the queue is empty\n")
    assert run("queue", "list", "--json").stdout == ""


def test_every_filter_narrows_the_list(house: House, run: Run) -> None:
    """Domain, sender, recipient, state, age, and how many."""
    for number, parts in enumerate(
        (
            {"sender": "boss@elsewhere.example", "arrived": datetime.now(UTC) - timedelta(days=2), "subject": "Lunch"},
            {"to": ("user@two.example",), "arrived": datetime.now(UTC)},
            {"arrived": datetime.now(UTC)},
        )
    ):
        house.take(number, **parts)
    house.do(house.spool.hold((an_id(2),), "alice", "", NOW))

    def listed(*options: str) -> list[int]:
        lines = run("queue", "list", "--json", *options).stdout.splitlines()
        return [number for number in range(3) if an_id(number) in {json.loads(line)["queue_id"] for line in lines}]

    assert listed() == [0, 1, 2]
    assert listed("--domain", "TWO.example.") == [1]
    assert listed("--sender", "BOSS@") == [0]
    assert listed("--recipient", "user@two") == [1]
    assert listed("--subject", "LUN") == [0]
    assert listed("--state", "held") == [2]
    assert listed("--older-than", "1d") == [0]
    assert listed("--domain", "one.example", "--state", "waiting") == [0]
    assert listed("--limit", "1") == [2]


def test_show_tells_all_of_a_message_by_a_part_of_its_id(house: House, run: Run) -> None:
    """Envelope, client, every recipient's fate and the primary's last words."""
    house.take(1)
    house.try_all("5.1.1 nobody here", fail=True)
    house.take(64)
    done = run("queue", "show", an_id(1)[:25].lower())
    assert done.exit_code == 0
    assert f"id: {an_id(1)}" in done.stdout
    assert "state: quarantined" in done.stdout
    assert "came from: 192.0.2.1, calling itself client.example, without TLS" in done.stdout
    assert "to: user@one.example: quarantined (2026-11-23 12:00:00 UTC, mail.example: 550 5.1.1 nobody here)" in done.stdout
    assert json.loads(run("queue", "show", an_id(1), "--json").stdout)["queue_name"] == "quarantine"


def test_show_of_what_is_not_there_is_no(house: House, run: Run) -> None:
    """Exit 1; an unclear id names both candidates."""
    house.take(1)
    house.take(2)
    unclear = run("queue", "show", an_id(1)[:25])
    assert unclear.exit_code == 1
    assert an_id(1) in unclear.stderr
    assert an_id(2) in unclear.stderr
    both = run("queue", "show", "zzz", an_id(2))
    assert both.exit_code == 1
    assert "zzz: is no message id" in both.stderr
    assert an_id(2) in both.stdout


def test_an_admin_moves_messages_by_id(house: House, run: Run) -> None:
    """Without being asked, but for a delete; what was done is told."""
    house.take(1)
    house.take(64)
    held = run("queue", "hold", an_id(1)[:25], "--why", "looks odd")
    assert (held.exit_code, held.stdout, held.stderr) == (0, "", "backupmx: hold: 1 message\n")
    assert "looks odd" in run("queue", "show", an_id(1)).stdout
    assert run("queue", "release", an_id(1)).exit_code == 0
    assert run("queue", "retry", an_id(1), an_id(64)).stderr == "backupmx: retry: 2 messages\n"
    assert run("queue", "delete", an_id(1), typed="n\n").exit_code == 1
    assert len(states(house)) == 2
    assert run("queue", "delete", an_id(1), typed="y\n").exit_code == 0
    assert run("queue", "delete", an_id(64), "--yes").exit_code == 0
    assert states(house) == {}


def test_what_did_not_change_is_told(house: House, run: Run) -> None:
    """Exit 1, with the state that stood against it."""
    house.take(1)
    done = run("queue", "release", an_id(1))
    assert done.exit_code == 1
    assert f"{an_id(1)}: not changed: it was waiting" in done.stderr


def test_a_filter_is_counted_and_asked_about_first(house: House, run: Run) -> None:
    """Nobody holds a thousand messages by a slip; only messages that the verb can move are meant."""
    for number in range(5):
        house.take(number, to=("user@two.example",) if number % 2 else ("user@one.example",))
    house.do(house.spool.hold((an_id(0),), "alice", "", NOW))
    refused = run("queue", "hold", "--domain", "one.example", typed="n\n")
    assert refused.exit_code == 1
    assert "hold 2 messages?" in refused.stderr
    assert set(states(house).values()) == {State.WAITING, State.HELD}
    assert run("queue", "hold", "--domain", "one.example", typed="y\n").exit_code == 0
    assert [number for number in range(5) if states(house)[an_id(number)] is State.HELD] == [0, 2, 4]
    assert run("queue", "release", "--all", "--yes").stderr == "backupmx: release: 3 messages\n"


def test_without_an_answer_nothing_is_done(house: House, run: Run) -> None:
    """A script that forgot --yes gets exit 1, not a deed."""
    house.take(1)
    assert run("queue", "delete", "--all").exit_code == 1
    assert len(states(house)) == 1


def test_a_dry_run_lists_and_does_nothing(house: House, run: Run) -> None:
    """By filter and by id."""
    house.take(1)
    house.take(2, arrived=LONG_AGO)
    for selection in (("--all",), (an_id(1), an_id(2))):
        done = run("queue", "delete", *selection, "--dry-run")
        assert done.exit_code == 0
        assert an_id(1) in done.stdout
        assert an_id(2) in done.stdout
        assert "would delete 2 messages" in done.stderr
    assert len(states(house)) == 2


def test_more_than_a_request_holds_goes_in_several(house: House, run: Run) -> None:
    """A filter has no upper bound."""
    for number in range(1003):
        house.take(number)
    done = run("queue", "delete", "--all", "--yes")
    assert done.stderr == "backupmx: delete: 1,003 messages\n"
    assert states(house) == {}


@pytest.mark.parametrize("verb", ["retry", "hold", "release", "delete"])
def test_nothing_selected_is_a_usage_error(run: Run, verb: str) -> None:
    """Neither ids nor a filter, or both, or a filter that is none: exit 2, and nothing is done."""
    assert run("queue", verb).exit_code == 2
    assert run("queue", verb, an_id(1), "--all").exit_code == 2
    assert run("queue", verb, "--domain", "a b").exit_code == 2
    assert run("queue", verb, "--older-than", "soon").exit_code == 2
    assert run("queue", verb, "--state", "lost").exit_code == 2


def test_one_unclear_id_stops_all(house: House, run: Run) -> None:
    """Every problem is told, nothing is done."""
    house.take(1)
    done = run("queue", "delete", "--yes", an_id(1), "nonsense!", an_id(9))
    assert done.exit_code == 1
    assert "nonsense!: is no message id" in done.stderr
    assert f"{an_id(9)}: no such message" in done.stderr
    assert len(states(house)) == 1


def test_flush_tries_a_domain_or_everything_without_asking(house: House, run: Run) -> None:
    """`postqueue -f` asks nothing either."""
    house.take(1)
    house.take(2, to=("user@two.example",))
    assert run("flush", "two.example").stderr == "backupmx: retry: 1 message\n"
    assert run("flush").stderr == "backupmx: retry: 2 messages\n"
    assert run("flush", "a b").exit_code == 2


@pytest.mark.parametrize("command", [("queue", "list"), ("queue", "list", "--json"), ("mailq",)])
def test_hostile_text_is_shown_and_not_obeyed(house: House, run: Run, command: tuple[str, ...]) -> None:
    """I7: neither a terminal's escapes, nor rich's markup, nor directions; in JSON as escapes too."""
    house.take(1, sender=f"{HOSTILE}@elsewhere.example", helo=HOSTILE, subject=f"=?utf-8?q?=1b[2J?= {HOSTILE}")
    house.try_all(HOSTILE)
    out = run(*command).stdout
    assert all(char == "\n" or char.isprintable() for char in out)
    assert "[bold red]x[/] :smile:" in out
    if "--json" in command:
        assert json.loads(out)["sender"] == f"{HOSTILE}@elsewhere.example"
        assert "\x1b[2J" in json.loads(out)["subject"]
    shown = run("queue", "show", an_id(1)).stdout
    assert "subject: \\x1b[2J " in shown
    assert all(char == "\n" or char.isprintable() for char in shown)
    assert "calling itself \\x1b[2J" in shown


def test_a_broken_listing_is_told(house: House, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is shown, then the trouble, exit 1."""

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(house.spool, "page", broken)
    done = run("queue", "list")
    assert done.exit_code == 1
    assert "trouble inside" in done.stderr


def test_bounce_sends_back_what_an_authenticated_sender_sent(house: House, run: Run) -> None:
    """I3: and leaves what nobody may be told of where it is, saying why."""
    proven, doubtful = house.take(1, proof=Proof.SPF), house.take(2)
    assert run("queue", "hold", proven, doubtful).exit_code == 0
    done = run("queue", "bounce", proven, doubtful, "--why", "wrong address", "--yes")
    assert done.exit_code == 1
    assert "bounce: 1 message\n" in done.stderr
    assert f"{doubtful}: not changed: its sender was not authenticated" in done.stderr
    left = {row.message.id: row.message for row in house.client.listing(ListQueue())}
    (notice,) = [message for message in left.values() if message.id not in (proven, doubtful)]
    assert set(left) == {doubtful, notice.id}
    assert (notice.envelope.sender, notice.envelope.recipients[0].address) == ("", "sender@elsewhere.example")
    told = run("track", proven).stdout
    assert "sent back by " in told
    assert "wrong address" in told
    assert f"the sender was told (failed) of user@one.example, in message {notice.id}" in told
    assert "to: user@one.example: returned" in told
    assert house.woken


def test_bounce_asks_first(house: House, run: Run) -> None:
    id = house.take(1, proof=Proof.DKIM)
    assert run("queue", "bounce", id, typed="n\n").exit_code == 1
    assert list(states(house)) == [id]
