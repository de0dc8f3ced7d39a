"""Domains over the control socket: what the file says, changes with all that people wrote around them, a new look."""

import threading

import pytest

from backupmx.control.answers import AmendedAnswer, DomainAnswer, DomainsAnswer, Done, Refused
from backupmx.control.requests import AmendDomain, GetDomain, GetDomains, LookAgain
from backupmx.core.amendment import Change, Setting, Sheet
from control.house import FILE, NOW, House
from tests.cli.admin import FILE as WRITTEN

ONE = "one.example"


def sheet(house: House, domain: str = ONE) -> Sheet:
    answer = house.client.ask(GetDomain(domain))
    assert isinstance(answer, DomainAnswer)
    return answer.sheet


def setting(house: House, key: str) -> Setting:
    return next(each for each in sheet(house).settings if each.key == key)


def amend(house: House, change: Change = Change.SET, domain: str = ONE, **wanted: str) -> AmendedAnswer | Refused:
    made_from = sheet(house, domain).digest
    answer = house.client.ask(AmendDomain(change, domain, made_from, "petra", wanted))
    assert isinstance(answer, AmendedAnswer | Refused)
    return answer


def test_a_domain_is_told_as_the_file_has_it(house: House) -> None:
    """Own values and defaults, as they are typed; whether they are in force."""
    house.file.write_text(FILE.replace("[domain.", "[defaults]\nholding_window = '7d'\n\n[domain.", 1) + "delay_warning = true\n")
    assert isinstance(house.client.ask(GetDomains()), DomainsAnswer)
    assert setting(house, "holding_window") == Setting("holding_window", None, "7d")
    found = sheet(house, "two.example")
    assert (found.there, found.applied, found.hindrance) == (True, False, "")
    assert next(each for each in found.settings if each.key == "delay_warning").own == "true"
    assert not sheet(house, "three.example").there


def test_a_change_is_in_the_file_and_is_taken(house: House) -> None:
    """With the comments around it, and in the log with who did it."""
    house.file.write_text(WRITTEN.replace("SPOOL", "/tmp/spool"))
    answer = amend(house, primary="a.example, lmtp://10.0.0.5:24", tls="required", holding_window="")
    assert isinstance(answer, AmendedAnswer)
    assert not answer.amended.faults
    assert house.taken == 1
    text = house.file.read_text()
    assert 'primary = ["a.example", "lmtp://10.0.0.5:24"]   # in the cellar\n' in text
    assert 'tls = "required"' in text and "holding_window" not in text
    assert "# --- the page ---" in text
    assert {"event": "admin", "verb": "configure", "by": "petra"}.items() <= house.logged[-1].items()
    assert house.logged[-1]["what"].startswith("domain set one.example ")


def test_a_domain_comes_and_goes(house: House) -> None:
    """After those that are there; twice is a refusal."""
    assert isinstance(amend(house, Change.ADD, "new.example", holding_window="3d"), AmendedAnswer)
    assert house.file.read_text() == FILE + '\n[domain."new.example"]\nholding_window = "3d"\n'
    assert isinstance(amend(house, Change.ADD, "new.example"), Refused)
    assert isinstance(amend(house, Change.REMOVE, "new.example"), AmendedAnswer)
    assert house.file.read_text() == FILE
    assert isinstance(amend(house, Change.SET, "new.example", tls="required"), Refused)
    for name in ("New.example", "a b", '"]\n[x'):
        assert isinstance(house.client.ask(AmendDomain(Change.ADD, name, sheet(house).digest, "petra")), Refused)


def test_a_change_that_the_processes_refuse_is_taken_back(house: House) -> None:
    """The old configuration stays in force, and the file as it was."""
    house.problems = ("smtp.listen: in use",)
    answer = amend(house, holding_window="3d")
    assert answer == Refused(("smtp.listen: in use",))
    assert house.file.read_text() == FILE
    assert [line for line in house.logged if line.get("verb") == "configure"] == []


def test_of_two_at_once_one_is_told(house: House) -> None:
    """Whoever comes second has seen a file that is no more."""
    made_from = sheet(house).digest
    answers: list[object] = []

    def change(window: str) -> None:
        answers.append(house.client.ask(AmendDomain(Change.SET, ONE, made_from, "petra", {"holding_window": window})))

    threads = [threading.Thread(target=change, args=(f"{days}d",)) for days in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum(isinstance(answer, AmendedAnswer) for answer in answers) == 1
    assert sum(isinstance(answer, Refused) for answer in answers) == 4


@pytest.mark.parametrize("key", ["recipient_list", "tls_ca_file", "primary_password_file", "ldap.url", "ldap", "nonsense", "x.y"])
def test_files_and_secrets_are_not_set_from_afar(house: House, key: str) -> None:
    """Neither read nor sent: whoever may ask here need not be somebody on this machine."""
    answer = amend(house, **{key: "/etc/shadow"})
    assert isinstance(answer, AmendedAnswer)
    assert [fault.key for fault in answer.amended.faults] == [key]
    assert house.file.read_text() == FILE


def test_nobody_has_a_password_sent_elsewhere(house: House) -> None:
    """Where the primary is given one, it, its name and what is demanded of the connection are set on the machine itself."""
    (house.path / "password").write_text("geheim")
    guarded = f'primary_user = "us"\nprimary_password_file = "{house.path}/password"\n'
    house.file.write_text(before := FILE.replace("# one.example\n", f"# one.example\n{guarded}"))
    for key, text in (("primary", "evil.example"), ("tls", "required"), ("tls_pin", "00" * 32), ("primary_user", "x")):
        assert setting(house, key).by_hand
        answer = amend(house, **{key: text})
        assert isinstance(answer, AmendedAnswer)
        assert [fault.key for fault in answer.amended.faults] == [key]
    assert house.file.read_text() == before
    assert isinstance(amend(house, holding_window="3d"), AmendedAnswer)
    assert not setting(house, "holding_window").by_hand


def test_faults_are_told_by_key(house: House) -> None:
    """All at once; without the value, which whoever typed it has."""
    answer = amend(house, holding_window="5x", tls="dane", primary="192.0.2.1", language="xx")
    assert isinstance(answer, AmendedAnswer)
    faults = {fault.key: fault.said for fault in answer.amended.faults}
    assert faults.keys() == {"holding_window", "tls", "language"}
    assert faults["tls"] == "needs primaries that are given by name, not by address"


def test_a_look_is_taken_when_somebody_asks(house: House) -> None:
    """Of this domain, and what was found is there with its time."""
    assert house.client.ask(LookAgain(ONE)) == Done()
    answer = house.client.ask(GetDomain(ONE))
    assert isinstance(answer, DomainAnswer)
    assert [finding.said for finding in answer.findings] == ["as it should be"]
    assert (answer.at, answer.looking, house.looked) == (NOW, False, [ONE])
    assert isinstance(house.client.ask(LookAgain("none.example")), Refused)
