"""What is done for the roll now and then; with a real slapd. The directory is asked as the configuration says."""

from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from backupmx.core.belief import DAY, Learned, Word
from backupmx.recipients.upkeep import Upkeep
from tests.admission.house import House, policies
from tests.recipients.slapd import CLOSED, OPEN, PASSWORD, READER, slapd

D = "example.com"


def upkeep(house: House) -> Upkeep:
    return Upkeep(house.policies, house.roll, house.health, house.clock)


async def test_what_nobody_believes_any_more_is_forgotten() -> None:
    """By the primary's clock; an old no is kept a day, for an outage."""
    house = House(policies(D))
    house.health.seconds = 40 * DAY
    await house.roll.learn(
        D,
        {
            "old": Learned(Word.KNOWN, 9 * DAY - 1),
            "ann": Learned(Word.KNOWN, 9 * DAY),
            "gone": Learned(Word.GONE, 39 * DAY - 1),
            "bob": Learned(Word.GONE, 39 * DAY),
        },
    )
    await upkeep(house).sweep()
    assert [house.roll.recall(D, name) is not None for name in ("old", "ann", "gone", "bob")] == [False, True, False, True]


async def test_a_directory_that_is_away_changes_nothing_and_is_told() -> None:
    """I9; and it is asked again when its time has come, not before."""
    house = House(policies(D, recipients="list", ldap={"url": "ldap://127.0.0.1:9", "refresh": "1h"}))
    keeper = upkeep(house)
    told = []
    for minutes in (0, 59, 1):
        house.now += timedelta(minutes=minutes)
        with capture_logs() as logged:
            await keeper.ask_directories()
        told.append([line["event"] for line in logged])
    assert told == [["directory unavailable"], [], ["directory unavailable"]]
    assert house.knowledge.listed(D, "ann") is None


async def test_a_password_that_cannot_be_read_is_trouble_and_no_more(tmp_path: Path) -> None:
    house = House(policies(D, ldap={"url": "ldap://127.0.0.1:9", "password_file": tmp_path / "none"}))
    with capture_logs() as logged:
        await upkeep(house).ask_directories()
    assert [line["event"] for line in logged] == ["trouble"]


@pytest.mark.peer
async def test_a_directory_s_people_are_the_list(tmp_path: Path) -> None:
    """600 people, in pages: openly, and for a user with a password."""
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD}\n")
    with slapd() as server:
        for ldap in (
            {"url": server.url, "base": OPEN},
            {"url": server.url, "base": CLOSED, "bind_dn": READER, "password_file": secret},
        ):
            house = House(policies(D, recipients="list", ldap=ldap))
            await upkeep(house).ask_directories()
            lists = house.roll.lists(D)
            assert lists.adopted is not None
            assert lists.adopted.entries == 605  # five have another address
            assert all(house.knowledge.listed(D, name) for name in ("user0", "USER599", "alias4", "user7+tag"))
            assert house.knowledge.listed(D, "alias5") is False
