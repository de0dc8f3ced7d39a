"""A machine becomes somebody's: in one go, whatever happens on the way."""

import os
import signal
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backupmx import config
from backupmx.control.accounts import Accounts, Role
from backupmx.errors import AlreadySetUp, BackupMXError, FileUnwritable
from backupmx.revision import revising
from backupmx.setup.claim import claim, claimed
from backupmx.setup.code import NAME, OneTimeCode
from backupmx.setup.configuration import Places, written
from tests.setup.machine import ANSWERS, HASH

STEPS = ("fsync", "rename", "unlink", "link", "mkdir", "fchmod")
"""What may be the last thing that a machine does before its power goes."""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "etc" / "b.toml", tmp_path / "spool", tmp_path / "c.sock")


def claim_it(places: Places, name: str = "petra") -> None:
    claim(places, written(ANSWERS, places), name, HASH)


def admins(places: Places) -> list[tuple[str, Role, str]]:
    users = Accounts(places.spool / "accounts.json").users()
    return [(user.name, user.role, user.password_hash) for user in users]


def test_the_file_says_what_was_answered(places: Places) -> None:
    """Also where this machine has what, if that is not usual; for its owner and the group alone, and nothing is left over."""
    OneTimeCode(places.spool / NAME)
    claim_it(places)
    settings = config.load(places.configuration)
    assert (settings.hostname, list(settings.domains)) == ("mx2.example.net", ["example.com"])
    assert list(map(str, settings.domains["example.com"].primary)) == ["127.0.0.1:9"]
    assert settings.alerts.urls == (ANSWERS.alert,)
    assert (settings.spool, settings.control.socket) == (places.spool, places.socket)
    assert places.configuration.stat().st_mode & 0o777 == 0o640
    assert admins(places) == [("petra", Role.ADMIN, HASH)]
    assert list(places.configuration.parent.iterdir()) == [places.configuration]
    assert {file.name for file in places.spool.iterdir()} == {"accounts.json", "accounts.json.lock"}


def test_nobody_from_before_can_sign_in(places: Places) -> None:
    """A spool may have been another machine's."""
    before = Accounts(places.spool / "accounts.json")
    before.add_user("mallory", Role.ADMIN, HASH)
    before.create_token("mallory", datetime.now(UTC))
    claim_it(places)
    assert admins(places) == [("petra", Role.ADMIN, HASH)]
    assert before.tokens() == ()


def test_who_comes_second_changes_nothing(places: Places) -> None:
    """Neither the file nor the admin, whoever wrote them."""
    claim_it(places)
    before = places.configuration.read_bytes()
    with pytest.raises(AlreadySetUp):
        claim_it(places, "mallory")
    assert places.configuration.read_bytes() == before
    assert admins(places) == [("petra", Role.ADMIN, HASH)]


def test_of_many_at_once_one_has_it(places: Places) -> None:
    """From several processes and threads: a lock that all heed."""
    outcomes: list[str] = []

    def one(name: str) -> None:
        try:
            claim_it(places, name)
            outcomes.append(name)
        except AlreadySetUp:
            pass

    threads = [threading.Thread(target=one, args=(f"user{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    assert [name for name, *_ in admins(places)] == outcomes


def test_a_disk_that_takes_nothing_leaves_it_nobodys(places: Places) -> None:
    """And its code opens it still."""
    places.configuration.parent.parent.joinpath("etc").write_text("no directory")
    code = OneTimeCode(places.spool / NAME)
    with pytest.raises(FileUnwritable):
        claim_it(places)
    assert not claimed(places)
    assert OneTimeCode(places.spool / NAME).text == code.text


def test_a_service_that_may_give_nothing_away_can_be_claimed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit's filter of system calls refuses chown, whoever would be the owner."""

    def forbidden(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("os.fchown", forbidden)
    claim_it(places)
    with revising(places.configuration) as revision:
        revision.draft.put("example.com", ("holding_window",), "5d")
        revision.put_in_place()
    assert config.load(places.configuration).domains["example.com"].holding_window.days == 5


def killed_at(number: int, places: Places) -> bool:
    """A process claims, and is killed before that many-eth step of those that touch the disk; False: it had fewer."""
    child = os.fork()
    if child == 0:
        left = number

        def dying(real: Any) -> Any:
            def step(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **named)

            return step

        try:
            for name in STEPS:
                setattr(os, name, dying(getattr(os, name)))
            claim_it(places)
        except BaseException:  # noqa: BLE001 - the child must not come back into the test
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_power_may_go_at_any_step(tmp_path: Path) -> None:
    """It is nobody's, and the next one gets it; or it is somebody's, and its admin can sign in. Nothing between."""
    seen = set()
    for number in range(1, 100):
        places = Places(tmp_path / str(number) / "etc" / "b.toml", tmp_path / str(number) / "spool")
        OneTimeCode(places.spool / NAME)
        if not killed_at(number, places):
            break
        seen.add(claimed(places))
        if claimed(places):
            config.load(places.configuration)
            assert admins(places) == [("petra", Role.ADMIN, HASH)]
            assert not (places.spool / NAME).exists()
            with pytest.raises(BackupMXError):
                claim_it(places, "other")
        else:
            OneTimeCode(places.spool / NAME)
            claim_it(places, "other")
            assert [name for name, *_ in admins(places)] == ["other"]
            assert not list(places.configuration.parent.glob(".*"))
    assert number > 8, "these are the steps"
    assert seen == {False, True}
