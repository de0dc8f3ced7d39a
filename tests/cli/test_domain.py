"""`backupmx domain …`."""

import json

from control.house import LONG_AGO, House

from backupmx.core.status import Primary, PrimaryState
from cli.conftest import Run

DOUBTFUL = Primary(PrimaryState.UP, LONG_AGO, "it refuses mail that it used to accept: 550 5.1.1 no such user")


def test_the_domains_are_listed(house: House, run: Run) -> None:
    """With what holds for each; an object a line for programs."""
    lines = [" ".join(line.split()) for line in run("domain", "list").stdout.splitlines()]
    assert lines[1:] == ["one.example by its MX records 14d relay callout", "two.example by its MX records 3d relay callout"]
    (_, two) = [json.loads(line) for line in run("domain", "list", "--json").stdout.splitlines()]
    assert (two["domain"], two["holding_window_s"], two["primary"]) == ("two.example", 3 * 86400, [])


def test_an_admin_has_a_primary_believed_again(house: House, run: Run) -> None:
    """I10: the drain goes on; exit 1 for a domain that is not there."""
    done = run("domain", "resume", "One.Example")
    assert (done.exit_code, done.stderr) == (0, "")
    assert house.resumed == ["one.example"]
    nobody = run("domain", "resume", "elsewhere.test")
    assert nobody.exit_code == 1
    assert "elsewhere.test" in nobody.stderr
    assert run("domain", "resume", "not a domain").exit_code == 2


def test_status_tells_that_a_primary_is_doubtful_and_what_to_do(house: House, run: Run) -> None:
    """Its words, that nothing is lost, and the command."""
    house.primary = DOUBTFUL
    said = run("status").stdout
    assert "answer, but refuse mail that they used to accept" in said.replace("\n", " ")
    assert "550 5.1.1 no such user" in said
    assert "backupmx domain resume one.example" in said
