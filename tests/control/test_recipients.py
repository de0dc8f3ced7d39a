"""What the control socket answers about recipients."""

import asyncio
from typing import Any

import pytest

from backupmx.control import roll as desk
from backupmx.control.answers import Done, ListNumber, ListsAnswer, RecipientRow, Refused, Verified
from backupmx.control.client import ControlClient
from backupmx.control.handing import hand_in
from backupmx.control.requests import (
    AnyRequest,
    ApproveList,
    BeginList,
    CloseList,
    Enlist,
    ForgetRecipients,
    ListRecipients,
    VerifyRecipient,
)
from backupmx.core.belief import Learned, Word
from backupmx.core.outcome import Reply
from backupmx.core.roll import Adopted, Lists
from backupmx.errors import ControlUnavailable
from control.house import House

ONE, TWO = "one.example", "two.example"


def locals_of(house: House, **more: Any) -> list[str]:
    return [row.local for row in house.client.recipients(ListRecipients(ONE, **more))]


def events(house: House) -> list[tuple[str, str, str, int]]:
    return [(event["verb"], event["by"], event["domain"], event["entries"]) for event in house.logged]


def test_a_row_tells_all_that_is_known_of_an_address(house: House) -> None:
    """The primary's word with its age on the primary's own clock, its words for a no, and whether a list has the address."""
    house.do(house.roll.set_clocks({ONE: 5000}))
    house.learn(ONE, ann=Learned(Word.KNOWN, 4000), bob=Learned(Word.GONE, 5007, "550 5.1.1 no \x1b[2J"))
    house.put_list(ONE, "ann", "carol")
    assert list(house.client.recipients(ListRecipients(ONE))) == [
        RecipientRow(ONE, "ann", Word.KNOWN, 1000, "", listed=True),
        RecipientRow(ONE, "bob", Word.GONE, 0, "550 5.1.1 no \x1b[2J", listed=False),
        RecipientRow(ONE, "carol", None, None, "", listed=True),
    ]
    assert list(house.client.recipients(ListRecipients(TWO))) == []


def test_many_recipients_are_listed_whole(house: House) -> None:
    """Every address once, over many pages, with a limit and without."""
    names = [f"user{number:04}" for number in range(2 * desk.PAGE + 7)]
    house.put_list(ONE, *names)
    assert locals_of(house) == names
    assert locals_of(house, limit=desk.PAGE + 1) == names[: desk.PAGE + 1]
    assert locals_of(house, after=names[-3]) == names[-2:]


def test_pages_meet_behind_everybody_too(house: House) -> None:
    """The empty local part comes first, and a page that ends with it leads on."""
    house.learn(ONE, **{"": Learned(Word.GONE, 1), "*": Learned(Word.KNOWN, 1), "ann": Learned(Word.KNOWN, 1)})
    after, seen = None, []
    for _ in range(4):
        page = house.client.page(ListRecipients(ONE, after, 1))
        assert not isinstance(page, Refused)
        seen += [row.local for row in page[0] if isinstance(row, RecipientRow)]
        after = page[1]
        if after is None:
            break
    assert seen == ["", "*", "ann"]


@pytest.mark.parametrize(
    "request_",
    [
        ForgetRecipients("other.example", ("ann",), "alice"),
        VerifyRecipient("other.example", "ann"),
        BeginList("other.example"),
        Enlist("other.example", 1, ("ann",)),
        CloseList("other.example", 1, "alice"),
        ApproveList("other.example", "alice"),
    ],
)
def test_a_domain_that_is_not_ours_is_refused(house: House, request_: AnyRequest) -> None:
    """Nothing is kept, and nobody is asked, for others' domains."""
    answer = Refused(("other.example: is no domain of this server",), missing=True)
    assert house.client.ask(request_) == answer
    assert house.client.page(ListRecipients("other.example")) == answer
    with pytest.raises(ControlUnavailable, match=r"^other\.example: is no domain"):
        list(house.client.recipients(ListRecipients("other.example")))
    assert house.logged == []


def test_what_was_learned_can_be_forgotten(house: House) -> None:
    """By any spelling; who had it done is logged, and a list is not touched."""
    house.learn(ONE, ann=Learned(Word.GONE, 1, "550 no"), bob=Learned(Word.KNOWN, 1))
    house.put_list(ONE, "ann")
    assert house.client.ask(ForgetRecipients(ONE, ("Ann", "nobody"), "alice")) == Done(("ann",))
    assert [(row.local, row.word, row.listed) for row in house.client.recipients(ListRecipients(ONE))] == [
        ("ann", None, True),
        ("bob", Word.KNOWN, False),
    ]
    assert events(house) == [("forget recipients", "alice", ONE, 1)]
    assert house.client.ask(ForgetRecipients(ONE, ("nobody",), "alice")) == Done(())
    assert len(house.logged) == 1


@pytest.mark.parametrize(
    ("reply", "word", "said"),
    [
        (Reply(250, "2.1.5 Ok"), Word.KNOWN, "250 2.1.5 Ok"),
        (Reply(251, "will forward"), Word.KNOWN, "251 will forward"),
        (Reply(550, "5.1.1 no such user"), Word.GONE, "550 5.1.1 no such user"),
        (Reply(450, "4.2.0 greylisted"), None, "450 4.2.0 greylisted"),
        (None, None, "the primary says nothing of it now"),
    ],
)
def test_the_primary_is_asked_now(house: House, reply: Reply | None, word: Word | None, said: str) -> None:
    """Its first digit decides, and its words are passed on; what is neither yes nor no is no word (I9)."""
    house.replies["Ann@one.example"] = reply
    assert house.client.ask(VerifyRecipient(ONE, "Ann")) == Verified(word, said)


@pytest.mark.parametrize("local", ["", "a b", "ann@one.example>\r\nRSET\r\nRCPT TO:<x", "a\0b", "<ann", "ann>", "x" * 600])
def test_the_primary_is_asked_of_addresses_alone(house: House, local: str) -> None:
    """I7: nothing that is no local part reaches the line to it."""
    answer = house.client.ask(VerifyRecipient(ONE, local))
    assert answer == Refused((f"{local}@one.example: is no address",))


def test_a_primary_that_does_not_answer_is_told_in_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked is not left hanging."""
    monkeypatch.setattr(desk, "VERIFY_S", 0.01)

    async def silent(_domain: str, _local: str) -> Reply | None:
        return await asyncio.get_running_loop().create_future()

    server = house.server(path=house.path / "other.sock", verify=silent)
    house.do(server.start())
    client = ControlClient(house.path / "other.sock", timeout_s=20)
    assert client.ask(VerifyRecipient(ONE, "ann")) == Verified(None, "the primary does not answer in time")
    house.do(server.stop())


def test_a_list_counts_once_it_is_complete(house: House) -> None:
    """In parts, spelt as the roll spells; not before the last part, and with a name to it."""
    number = house.client.ask(BeginList(ONE))
    assert isinstance(number, ListNumber)
    assert house.client.ask(Enlist(ONE, number.number, ("Ann", "BOB"))) == Done()
    assert house.client.ask(Enlist(ONE, number.number, ("bob", "*"))) == Done()
    assert locals_of(house) == []
    assert house.logged == []
    closed = house.client.ask(CloseList(ONE, number.number, "alice"))
    assert closed == ListsAnswer(Lists(number.number, Adopted(number.number, 3), None))
    assert locals_of(house) == ["*", "ann", "bob"]
    assert events(house) == [("list recipients", "alice", ONE, 3)]


def test_a_list_that_lacks_much_waits_for_an_admin(house: House) -> None:
    """I10: an export that went wrong makes nobody unknown; who approves it is logged."""
    house.put_list(ONE, *(f"user{number}" for number in range(20)))
    assert house.client.ask(ApproveList(ONE, "alice")) == Refused(("one.example: no list waits for approval",))
    lists = hand_in(house.client.ask, ONE, ["user1", "new"], "token cron")
    assert isinstance(lists, Lists)
    assert (lists.waiting, lists.adopted and lists.adopted.entries) == (Adopted(lists.last, 2, lost=19), 20)
    assert len(locals_of(house)) == 20
    approved = house.client.ask(ApproveList(ONE, "alice"))
    assert isinstance(approved, ListsAnswer)
    assert approved.lists == Lists(lists.last, Adopted(lists.last, 2, lost=19), None)
    assert locals_of(house) == ["new", "user1"]
    assert events(house) == [("recipients wait for approval", "token cron", ONE, 2), ("approve recipients", "alice", ONE, 2)]


def test_a_part_of_an_older_list_changes_nothing(house: House) -> None:
    """Two who hand in at once: the one who began last has the word, and the other is told."""
    first, second = (house.client.ask(BeginList(ONE)) for _ in range(2))
    assert isinstance(first, ListNumber)
    assert isinstance(second, ListNumber)
    assert house.client.ask(Enlist(ONE, second.number, ("ann",))) == Done()
    assert house.client.ask(Enlist(ONE, first.number, ("ann",))) == Refused((desk.OTHER_LIST,))
    assert house.client.ask(CloseList(ONE, first.number, "bob")) == Refused((desk.OTHER_LIST,))
    assert isinstance(house.client.ask(CloseList(ONE, second.number, "alice")), ListsAnswer)
    assert locals_of(house) == ["ann"]
    assert [event["by"] for event in house.logged] == ["alice"]


def test_a_listing_has_today_s_list_beside_one_that_waits(house: House) -> None:
    """Whatever is in the spool besides, nobody of today's is left out."""
    house.learn(ONE, zoe=Learned(Word.KNOWN, 1))
    names = [f"user{number:04}" for number in range(desk.PAGE)]
    house.put_list(ONE, *names)
    house.put_list(ONE, *(f"new{number:04}" for number in range(3 * desk.PAGE)))
    assert locals_of(house) == [*names, "zoe"]


def test_requests_have_a_bound_and_a_name(house: House) -> None:
    """I4, I11."""
    many = tuple(f"u{number}" for number in range(1001))
    bound = Refused(("at most 1000 recipients at once",))
    assert house.client.ask(ForgetRecipients(ONE, many, "alice")) == bound
    assert house.client.ask(Enlist(ONE, 1, many)) == bound
    nameless = Refused(("who asks is not said",))
    house.learn(ONE, ann=Learned(Word.KNOWN, 1))
    for request in (ForgetRecipients(ONE, ("ann",), ""), CloseList(ONE, 0, ""), ApproveList(ONE, "")):
        assert house.client.ask(request) == nameless
    assert locals_of(house) == ["ann"]


def test_a_long_list_goes_over_whole(house: House) -> None:
    """However long the local parts are, and whatever needs an escape in them: no request grows beyond its bound."""
    hard = "\\\\" * 120
    names = [f'"{hard}{number}"' for number in range(1500)] + [f"user{number}" for number in range(2100)]
    lists = hand_in(house.client.ask, ONE, names, "alice")
    assert isinstance(lists, Lists)
    assert lists.adopted and lists.adopted.entries == len(names)
    assert sorted(house.listed(ONE)) == sorted(names)
