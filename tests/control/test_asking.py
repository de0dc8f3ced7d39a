"""What the control socket answers: to the client, and to whoever writes on it."""

import socket
import stat
import threading
from datetime import timedelta

import msgspec
import pytest

from backupmx.control.accounts import Scope
from backupmx.control.answers import Account, Done, Key, Refused, Row, SpoolStatsAnswer, StatusAnswer
from backupmx.control.client import ControlClient
from backupmx.control.conversations import CLIENTS, LINE_LIMIT
from backupmx.control.requests import Act, CheckToken, GetAccount, GetSpoolStats, GetStatus, ListQueue, Reload, ShowMessage, Verb
from backupmx.core.message import State
from backupmx.core.queue import Filter
from backupmx.errors import ControlUnavailable, SpoolUnusable
from control.house import LONG_AGO, NOW, House, an_id


def by(house: House, verb: Verb, *ids: str, why: str = "") -> Done | Refused:
    answer = house.client.ask(Act(verb, ids, "alice", why))
    assert isinstance(answer, Done | Refused)
    return answer


def states(house: House) -> dict[str, State]:
    return {row.message.id: row.message.state() for row in house.client.listing(ListQueue())}


def test_the_status_is_the_one_document(house: House) -> None:
    """I8: what is answered is the document that everything else is drawn from."""
    house.take(1)
    answer = house.client.ask(GetStatus())
    assert answer == StatusAnswer(house.status())
    assert isinstance(answer, StatusAnswer)
    assert answer.status.queue.messages == 1


def test_a_row_tells_when_the_first_window_ends(house: House) -> None:
    """Of several domains, the one with the shortest window counts."""
    house.take(1, to=("user@one.example",))
    house.take(2, to=("user@one.example", "user@two.example"))
    ends = {row.message.id: row.expires for row in house.client.listing(ListQueue())}
    assert ends == {an_id(1): NOW + timedelta(days=10), an_id(2): NOW + timedelta(days=3)}


def test_a_long_queue_is_listed_whole_and_newest_first(house: House) -> None:
    """Every message once, over many pages."""
    for number in range(230):
        house.take(number)
    listed = [row.message.id for row in house.client.listing(ListQueue())]
    assert listed == [an_id(number) for number in reversed(range(230))]


def test_a_listing_stops_at_its_limit_and_goes_on_after_it(house: House) -> None:
    """Pages of a listing meet without a gap and without an overlap."""
    for number in range(7):
        house.take(number)
    first = [row.message.id for row in house.client.listing(ListQueue(limit=4))]
    rest = [row.message.id for row in house.client.listing(ListQueue(after=first[-1]))]
    assert first + rest == [an_id(number) for number in reversed(range(7))]


def test_a_listing_holds_what_the_filter_means(house: House) -> None:
    """Every part of a filter counts."""
    house.take(1, sender="Boss@elsewhere.example", arrived=LONG_AGO)
    house.take(2, sender="boss@elsewhere.example")
    house.take(3, to=("user@two.example",))

    def listed(**parts: object) -> list[str]:
        return [row.message.id for row in house.client.listing(ListQueue(Filter(**parts)))]

    assert listed(sender="boss@") == [an_id(2), an_id(1)]
    assert listed(sender="boss@", before=NOW - timedelta(days=1)) == [an_id(1)]
    assert listed(domain="two.example") == [an_id(3)]
    assert listed(recipient="USER@two") == [an_id(3)]
    assert listed(state=State.HELD) == []


def test_an_id_may_be_abbreviated_while_it_is_clear(house: House) -> None:
    """In either case of letters; an unclear one is refused with the candidates."""
    house.take(1)
    house.take(2)
    house.take(64)
    clear = house.client.ask(ShowMessage(an_id(64)[:25].lower()))
    assert isinstance(clear, Row)
    assert clear.message.id == an_id(64)
    unclear = an_id(1)[:25]
    assert house.client.ask(ShowMessage(unclear)) == Refused((f"{unclear}: may be {an_id(1)} or {an_id(2)}; give more of it",))


def test_no_id_at_all_means_no_message(house: House) -> None:
    """An empty abbreviation fits everything, and is refused."""
    house.take(1)
    assert house.client.ask(Act(Verb.DELETE, ("",), "alice")) == Refused(("nothing: is no message id",))


@pytest.mark.parametrize("text", ["U", "8", "../..", "\x1b[2J", "0" * 27, "é"])
def test_what_is_no_id_is_refused(house: House, text: str) -> None:
    """I7: nothing but an id reaches the spool."""
    house.take(1)
    for request in (ShowMessage(text), Act(Verb.DELETE, (text,), "alice")):
        assert house.client.ask(request) == Refused((f"{text}: is no message id",))
    assert len(states(house)) == 1


def test_an_id_of_nothing_is_refused(house: House) -> None:
    """Whole or abbreviated."""
    house.take(64)
    assert house.client.ask(ShowMessage(an_id(1))) == Refused((f"{an_id(1)}: no such message",))
    assert house.client.ask(ShowMessage(an_id(1)[:25])) == Refused((f"{an_id(1)[:25]}: no such message",))


def test_an_admin_moves_messages_and_the_courier_learns_of_it(house: House) -> None:
    """Hold, release, retry and delete answer with the ids that changed, and wake the courier when there are any."""
    house.take(1)
    house.take(2)
    assert by(house, Verb.HOLD, an_id(1), why="looks odd") == Done((an_id(1),))
    assert house.woken == 1
    (held,) = house.client.listing(ListQueue(Filter(state=State.HELD)))
    assert held.message.hold is not None
    assert (held.message.hold.by, held.message.hold.why, held.message.hold.at) == ("alice", "looks odd", NOW)
    assert by(house, Verb.HOLD, an_id(1)) == Done(())
    assert house.woken == 1
    assert by(house, Verb.RELEASE, an_id(1), an_id(2)) == Done((an_id(1),))
    assert by(house, Verb.RETRY, an_id(2)) == Done((an_id(2),))
    assert by(house, Verb.DELETE, an_id(2), an_id(2)) == Done((an_id(2),))
    assert states(house) == {an_id(1): State.WAITING}


def test_a_whole_id_whose_message_is_gone_does_not_stop_the_others(house: House) -> None:
    """Mail goes out while an admin thinks: that is no fault of the request."""
    house.take(1)
    assert by(house, Verb.HOLD, an_id(5), an_id(1)) == Done((an_id(1),))


def test_one_unclear_id_stops_all(house: House) -> None:
    """Everything that is named is meant, or nothing is done; all problems are told."""
    house.take(1)
    house.take(2)
    answer = by(house, Verb.DELETE, an_id(1), an_id(1)[:20], "!")
    assert isinstance(answer, Refused)
    assert len(answer.problems) == 2
    assert len(states(house)) == 2


def test_who_acts_is_always_said_and_logged(house: House) -> None:
    """I11: whatever an admin removes has a name to it."""
    house.take(1)
    assert isinstance(house.client.ask(Act(Verb.DELETE, (an_id(1),), "")), Refused)
    assert house.logged == []
    assert isinstance(house.client.ask(Act(Verb.DELETE, (an_id(1),), "mallory", "x")), Done)
    (event,) = house.logged
    assert (event["event"], event["verb"], event["by"], event["id"], event["why"]) == (
        "admin",
        "delete",
        "mallory",
        an_id(1),
        "x",
    )


def test_too_many_ids_are_refused(house: House) -> None:
    """I4: a request has a bound."""
    assert by(house, Verb.RETRY, *[an_id(n) for n in range(1001)]) == Refused(("at most 1000 messages at once",))


def test_reload_tells_what_is_wrong_with_the_file(house: House) -> None:
    """The caller learns whether the new configuration is taken."""
    assert house.client.ask(Reload()) == Done()
    house.problems = ("backupmx.toml: colour: unknown key",)
    assert house.client.ask(Reload()) == Refused(house.problems)


def test_the_page_learns_of_users_and_tokens(house: House) -> None:
    """Hash and role for the login; name and scope of a token; changes of the file count at once."""
    assert house.client.ask(GetAccount("alice")) == Refused(("no such user",))
    house.accounts.set_user("alice", "admin", "correct horse")
    answer = house.client.ask(GetAccount("alice"))
    assert isinstance(answer, Account)
    assert (answer.name, answer.role) == ("alice", "admin")
    assert answer.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    token = house.accounts.create_token("grafana", NOW)
    assert house.client.ask(CheckToken(token)) == Key("grafana", Scope.READ)
    assert isinstance(house.client.ask(CheckToken(token + "x")), Refused)
    house.accounts.revoke_token("grafana")
    assert isinstance(house.client.ask(CheckToken(token)), Refused)


def test_the_spool_s_figures_are_answered(house: House) -> None:
    """As the spool gives them."""
    answer = house.client.ask(GetSpoolStats())
    assert isinstance(answer, SpoolStatsAnswer)
    # others write to the same disk meanwhile
    same = {"disk_free": 0, "room": 0}
    assert msgspec.structs.replace(answer.stats, **same) == msgspec.structs.replace(house.spool.stats(), **same)


def test_a_broken_spool_is_refused_in_words(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage errors are told, the next question is answered all the same."""

    def broken() -> None:
        raise SpoolUnusable("the map cannot be read")

    monkeypatch.setattr(house.spool, "stats", broken)
    assert house.client.ask(GetSpoolStats()) == Refused(("the map cannot be read",))
    assert isinstance(house.client.ask(GetStatus()), StatusAnswer)


def test_a_bug_is_told_without_its_inside(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client learns that there is trouble, the log learns what it is, and the server goes on."""

    def buggy(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(house.spool, "page", buggy)
    with pytest.raises(ControlUnavailable, match="trouble inside"):
        list(house.client.listing(ListQueue()))
    assert isinstance(house.client.ask(GetStatus()), StatusAnswer)


def talk(house: House, data: bytes) -> bytes:
    """Raw octets in, everything that comes back out."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(house.path / "c.sock"))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b'{"ask":"everything"}',
        b'{"ask":"list","limit":"x"}',
        b"[" * 50_000,
        b'{"ask":"show","id":"\xff"}',
    ],
)
def test_what_is_no_request_is_refused_and_the_next_one_answered(house: House, line: bytes) -> None:
    """Rubbish costs its sender one line of refusal."""
    first, second = talk(house, line + b"\n" + b'{"ask":"status"}\n').splitlines()
    assert msgspec.json.decode(first)["answer"] == "refused"
    assert msgspec.json.decode(second)["answer"] == "status"


def test_a_line_without_end_is_not_held_in_memory(house: House) -> None:
    """I4: a request has a bound, and the connection ends there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(house.path / "c.sock"))
        connection.sendall(b"x" * (LINE_LIMIT + 2))
        answer = connection.makefile("rb").readline()
    assert b"at most" in answer


def test_many_requests_go_over_one_connection(house: House) -> None:
    """In order, each answered whole."""
    house.take(1)
    answers = talk(house, b'{"ask":"list"}\n{"ask":"status"}\n{"ask":"list","limit":1}\n').splitlines()
    assert [msgspec.json.decode(line)["answer"] for line in answers] == ["row", "done", "status", "row", "done"]


def test_half_a_request_is_nothing(house: House) -> None:
    """What has no end of line is not executed."""
    house.take(1)
    delete = msgspec.json.encode(Act(Verb.DELETE, (an_id(1),), "alice"))
    assert talk(house, delete) == b""
    assert len(states(house)) == 1


def test_a_client_that_does_not_read_holds_up_nobody(house: House) -> None:
    """I4: a stuck listing waits at the socket's buffer, with one page in memory, while others are served."""
    for number in range(100):
        house.take(number, sender="x" * 60_000 + "@elsewhere.example")
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.connect(str(house.path / "c.sock"))
        stuck.sendall(b'{"ask":"list"}\n')
        assert isinstance(house.client.ask(GetStatus()), StatusAnswer)


def test_a_listing_that_is_read_slowly_holds_no_connection(house: House) -> None:
    """`backupmx mailq | less`, left alone for an hour, is whole in the end."""
    for number in range(3):
        house.take(number)
    listings = [house.client.listing(ListQueue()) for _ in range(CLIENTS + 6)]
    for listing in listings:
        next(listing)
    assert isinstance(house.client.ask(GetStatus()), StatusAnswer)
    assert all(len(list(listing)) == 2 for listing in listings)


def test_threads_share_one_client(house: House) -> None:
    """The page asks from many threads at once."""
    house.take(1)
    client, answers = house.client, []
    threads = [threading.Thread(target=lambda: answers.append(client.ask(ShowMessage(an_id(1))))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 16
    assert all(isinstance(answer, Row) for answer in answers)


def test_owner_and_group_alone_may_ask(house: House) -> None:
    """The socket's mode is the guard."""
    assert stat.S_IMODE((house.path / "c.sock").stat().st_mode) == 0o660


def test_a_server_that_is_not_there_is_told_with_what_to_do(tmp_path) -> None:
    """No socket, and a socket that nobody listens on."""
    client = ControlClient(tmp_path / "none.sock")
    with pytest.raises(ControlUnavailable, match=r"none\.sock: nobody answers; is `backupmx serve` running"):
        client.ask(GetStatus())
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "none.sock"))
    with pytest.raises(ControlUnavailable, match="nobody answers"):
        list(client.listing(ListQueue()))


def test_a_server_that_falls_silent_is_told(tmp_path) -> None:
    """The client waits for so long, and no longer; what breaks off in the middle is no answer."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "c.sock"))
        silent.listen()
        with pytest.raises(ControlUnavailable, match="does not answer in time"):
            ControlClient(tmp_path / "c.sock", timeout_s=0.05).ask(GetStatus())

        def break_off() -> None:
            # the first one in the backlog is the client that gave up
            silent.accept()[0].close()
            connection = silent.accept()[0]
            connection.recv(100)
            connection.sendall(b'{"answer":"do')
            connection.close()

        thread = threading.Thread(target=break_off)
        thread.start()
        with pytest.raises(ControlUnavailable, match="in the middle of an answer"):
            ControlClient(tmp_path / "c.sock").ask(GetStatus())
        thread.join()
