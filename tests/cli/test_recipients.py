"""`backupmx recipients …`."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from control.house import House

from backupmx.cli.main import root
from backupmx.core.belief import Learned, Word
from backupmx.core.outcome import Reply
from backupmx.core.roll import Adopted
from cli.conftest import Run
from cli.test_root import BACKUPMX, on_a_terminal
from tests.recipients.slapd import CLOSED, OPEN, PASSWORD, READER, slapd

ONE, TWO = "one.example", "two.example"


@pytest.fixture
def known(house: House) -> House:
    """A few addresses of which something is known."""
    house.do(house.roll.set_clocks({ONE: 7 * 86400}))
    house.learn(ONE, ann=Learned(Word.KNOWN, 5 * 86400), bob=Learned(Word.GONE, 7 * 86400 - 90, "550 5.1.1 no \x1b[2J such"))
    house.learn(ONE, **{"": Learned(Word.GONE, 0)})
    house.put_list(TWO, "ann", "*")
    return house


def test_what_is_known_is_listed(known: House, run: Run) -> None:
    """Address, what is known, since when, and the primary's words; of one domain or of all; I7."""
    done = run("recipients", "list")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [" ".join(line.split()) for line in done.stdout.splitlines()] == [
        "ADDRESS WHAT IS KNOWN SINCE THE PRIMARY'S WORDS",
        "@one.example not everybody is taken 7 d -",
        "ann@one.example known 2 d -",
        "bob@one.example gone 1 min 550 5.1.1 no \\x1b[2J such",
        "*@two.example listed - -",
        "ann@two.example listed - -",
    ]
    assert len(run("recipients", "list", "Two.Example").stdout.splitlines()) == 3
    assert len(run("recipients", "list", "--limit", "4").stdout.splitlines()) == 5


def test_programs_get_an_object_a_line(known: House, run: Run) -> None:
    """All that a row has."""
    found = [json.loads(line) for line in run("recipients", "list", "--json").stdout.splitlines()]
    said = "550 5.1.1 no \x1b[2J such"
    assert found[2] == {"address": "bob@one.example", "word": "gone", "said": said, "since_s": 90, "listed": False}
    assert found[4] == {"address": "ann@two.example", "word": None, "said": "", "since_s": None, "listed": True}
    assert [json.loads(line) for line in run("recipients", "list", "--json", "--limit", "2").stdout.splitlines()] == found[:2]


def test_nothing_known_and_nobody_s_domain_are_told(house: House, run: Run) -> None:
    """Exit 0 for an empty list, 1 for a domain that is not ours, 2 for what is no domain."""
    empty = run("recipients", "list")
    assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "", "backupmx: nothing is known of any recipient yet\n")
    other = run("recipients", "list", "other.example")
    assert (other.exit_code, other.stdout) == (1, "")
    assert other.stderr == "backupmx: other.example: is no domain of this server\n"
    assert run("recipients", "list", "no domain").exit_code == 2


def test_addresses_are_forgotten(known: House, run: Run) -> None:
    """Each by name; exit 1 when nothing was known of one, and the others are forgotten all the same."""
    done = run("recipients", "forget", "BOB@One.example", "@one.example")
    assert (done.exit_code, done.stderr) == (0, "backupmx: forgotten: 2 addresses\n")
    done = run("recipients", "forget", "ann@one.example", "nobody@two.example")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[1] == "backupmx: nobody@two.example: nothing was known of it"
    assert run("recipients", "list", ONE).stdout == ""
    assert run("recipients", "forget", "ann").exit_code == 2
    assert run("recipients", "forget", "ann@other.example").exit_code == 1


def test_the_primary_is_asked_of_each_address(house: House, run: Run, tmp_path: Path) -> None:
    """From arguments, files and standard input, each once; exit 0 when all are known."""
    house.replies |= {f"{local}@one.example": Reply(250, "2.1.5 Ok") for local in ("ann", "bob", "carol")}
    (tmp_path / "list").write_text("bob@one.example\n*@one.example\n")
    done = run("recipients", "verify", "ann@one.example", str(tmp_path / "list"), "-", typed="carol@one.example\nbob@one.example")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [f"{local}@one.example: known: 250 2.1.5 Ok" for local in ("ann", "bob", "carol")]
    assert done.stderr == "backupmx: *@one.example: stands for everybody, and is not asked\n"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(550, "5.1.1 no \x1b[2J"), "gone: 550 5.1.1 no \\x1b[2J"),
        (Reply(450, "4.2.0 later"), "unclear: 450 4.2.0 later"),
        (None, "unclear: the primary says nothing of it now"),
    ],
)
def test_whoever_is_not_known_makes_the_answer_no(house: House, run: Run, reply: Reply | None, said: str) -> None:
    """Exit 1; the others are asked all the same; I7."""
    house.replies |= {"ann@one.example": reply, "bob@one.example": Reply(250, "Ok")}
    done = run("recipients", "verify", "ann@one.example", "bob@one.example")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [f"ann@one.example: {said}", "bob@one.example: known: 250 Ok"]
    first = json.loads(run("recipients", "verify", "--json", "ann@one.example", "bob@one.example").stdout.splitlines()[0])
    assert first["address"] == "ann@one.example"
    assert first["word"] == ("gone" if reply and reply.code == 550 else None)


def test_what_cannot_be_asked_is_told(house: House, run: Run, tmp_path: Path) -> None:
    """Another's domain, a line that is no address, a file that is not there."""
    done = run("recipients", "verify", "ann@other.example")
    assert (done.exit_code, done.stdout) == (1, "ann@other.example: unclear: other.example: is no domain of this server\n")
    house.replies["ann@one.example"] = Reply(250, "Ok")
    (tmp_path / "list").write_text("ann@one.example\nbob\n")
    done = run("recipients", "verify", str(tmp_path / "list"))
    assert done.exit_code == 1
    assert done.stdout == "ann@one.example: known: 250 Ok\n"
    assert "line 2" in done.stderr
    assert run("recipients", "verify", str(tmp_path / "none")).exit_code == 2
    assert run("recipients", "verify").exit_code == 2


def test_a_person_sees_how_far_it_is(house: House) -> None:
    """A bar on a terminal, each answer above it; nothing of it in a pipe."""
    config = str(house.path / "b.toml")
    addresses = [f"user{number}@one.example" for number in range(30)]
    sent = on_a_terminal("recipients", "verify", *addresses, BACKUPMX_CONFIG=config)
    assert "asking the primary" in sent
    assert all(f"{address}: gone: 550 5.1.1 no such user" in sent for address in addresses)
    piped = subprocess.run(
        [*BACKUPMX, "recipients", "verify", "--config", config, *addresses],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert len(piped.stdout.splitlines()) == 30
    assert piped.stderr == ""


def test_a_long_list_is_handed_in_under_a_bar(house: House, tmp_path: Path) -> None:
    """Part by part."""
    (tmp_path / "list").write_text("".join(f"user{number}@one.example\n" for number in range(2500)))
    config = str(house.path / "b.toml")
    sent = on_a_terminal("recipients", "import", str(tmp_path / "list"), "--yes", BACKUPMX_CONFIG=config)
    assert "handing in one.example" in sent
    assert "2500/2500" in sent
    assert len(house.listed("one.example")) == 2500


def test_a_list_is_put_in_place(house: House, run: Run, tmp_path: Path) -> None:
    """It is told how many come and go, asked, and done, for each domain of the list."""
    house.put_list(ONE, "old", *(f"user{number}" for number in range(10)))
    names = [f"User{number}@one.example" for number in range(10)]
    (tmp_path / "list").write_text("\n".join([*names, "new@one.example", "*@two.example"]))
    done = run("recipients", "import", str(tmp_path / "list"), typed="y\n")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "backupmx: one.example: 11 addresses: 1 come, 1 go\n" in done.stderr
    assert "backupmx: two.example: 1 address: 1 come, 0 go\n" in done.stderr
    assert done.stderr.endswith("backupmx: one.example: 11 addresses listed\nbackupmx: two.example: 1 address listed\n")
    assert house.listed(ONE) == ["new", *(f"user{number}" for number in range(10))]
    assert house.listed(TWO) == ["*"]


def test_nothing_is_done_that_was_not_agreed_to(house: House, run: Run, tmp_path: Path) -> None:
    """A no, a dry run, and a list on standard input that leaves nobody to ask."""
    (tmp_path / "list").write_text("ann@one.example\n")
    assert run("recipients", "import", str(tmp_path / "list"), typed="n\n").exit_code == 1
    dry = run("recipients", "import", str(tmp_path / "list"), "--dry-run")
    assert (dry.exit_code, dry.stderr) == (0, "backupmx: one.example: 1 address: 1 come, 0 go\n")
    assert run("recipients", "import", "-", typed="ann@one.example\n").exit_code == 2
    assert house.listed(ONE) == []
    assert house.roll.lists(ONE).last == 0
    assert run("recipients", "import", "-", "--yes", typed="ann@one.example\n").exit_code == 0
    assert house.listed(ONE) == ["ann"]


def test_one_domain_of_a_list_may_be_meant(house: House, run: Run, tmp_path: Path) -> None:
    """Names without a domain are of it; what is of others is left out, and that is told."""
    (tmp_path / "list").write_text("ann\nbob@one.example\ncarol@two.example\ndave@other.example\n")
    done = run("recipients", "import", str(tmp_path / "list"), "--domain", "one.example", "--yes")
    assert done.exit_code == 0
    assert "backupmx: left out: 2 addresses of other.example, two.example\n" in done.stderr
    assert (house.listed(ONE), house.listed(TWO)) == (["ann", "bob"], [])
    done = run("recipients", "import", str(tmp_path / "list"), "--dry-run")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        'backupmx: line 1: "ann" has no domain',
        "backupmx: left out: 1 address of other.example",
        "backupmx: one.example: 1 address: 0 come, 1 go",
        "backupmx: two.example: 1 address: 1 come, 0 go",
    ]


def test_a_list_that_lacks_much_waits_until_it_is_approved(house: House, run: Run, tmp_path: Path) -> None:
    """Exit 1, with the command that approves it, which says when there is nothing to approve."""
    house.put_list(ONE, *(f"user{number}" for number in range(20)))
    (tmp_path / "list").write_text("user1@one.example\n")
    done = run("recipients", "import", str(tmp_path / "list"), "--yes")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "backupmx: one.example: 1 address: 0 come, 19 go",
        "backupmx: one.example: this list lacks 19 of the 20 addresses of today's list, more than a tenth: it waits, and today's "
        "list counts. If it is right: backupmx recipients approve one.example",
    ]
    assert len(house.listed(ONE)) == 20
    done = run("recipients", "approve", "one.example")
    assert (done.exit_code, done.stderr) == (0, "backupmx: one.example: the list of 1 address counts from now on\n")
    assert house.listed(ONE) == ["user1"]
    done = run("recipients", "approve", "one.example")
    assert (done.exit_code, done.stderr) == (1, "backupmx: one.example: no list waits for approval\n")


@pytest.mark.parametrize("content", ["", "# nobody\n", "x y@@\na b@@\nann@one.example\n", "ann@other.example\n"])
def test_a_broken_list_changes_nothing(house: House, run: Run, tmp_path: Path, content: str) -> None:
    """I10: nobody in it, more faults than addresses, or nobody of ours."""
    house.put_list(ONE, "ann")
    before = house.roll.lists(ONE)
    (tmp_path / "list").write_text(content)
    done = run("recipients", "import", str(tmp_path / "list"), "--yes")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("backupmx: nothing is changed: ")
    assert house.roll.lists(ONE) == before


def test_a_list_with_a_few_faults_counts_and_is_told(house: House, run: Run, tmp_path: Path) -> None:
    """Exit 1: somebody should look."""
    (tmp_path / "list").write_text("ann@one.example\nx y@@\n")
    done = run("recipients", "import", str(tmp_path / "list"), "--yes")
    assert done.exit_code == 1
    assert "line 2" in done.stderr
    assert house.listed(ONE) == ["ann"]
    assert house.roll.lists(ONE).adopted == Adopted(1, 1)


def test_a_directory_is_asked_with_what_it_needs(house: House, run: Run, tmp_path: Path) -> None:
    """Usage errors before anything is asked; trouble with it changes nothing."""
    (tmp_path / "list").write_text("ann@one.example\n")
    assert run("recipients", "import", str(tmp_path / "list"), "--base", "dc=one").exit_code == 2
    url = "ldap://127.0.0.1:9"
    assert run("recipients", "import", url, "--base", "dc=one").exit_code == 2, "which of the two domains"
    assert run("recipients", "import", url, "--domain", "one.example").exit_code == 2
    assert run("recipients", "import", f"{url}/x?y", "--domain", "one.example", "--base", "dc=one").exit_code == 2
    secret = ("--bind-dn", "cn=x", "--password-stdin")
    assert run("recipients", "import", url, "--domain", "one.example", "--base", "dc=one", *secret, typed="x\n").exit_code == 2
    done = run("recipients", "import", url, "--domain", "one.example", "--base", "dc=one", *secret, "--yes", typed="x\n")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"backupmx: {url}: ")
    assert done.stderr.splitlines()[-1] == "backupmx: nothing is changed"
    assert house.listed(ONE) == []


@pytest.mark.peer
def test_a_directory_s_list_is_put_in_place(house: House, tmp_path: Path) -> None:
    """A real one: anonymously, and as a user over TLS, with an authority, a filter and an attribute of one's own."""
    config = tmp_path / "other.toml"
    config.write_text(f'spool = "{tmp_path}/spool"\n[control]\nsocket = "{tmp_path}/o.sock"\n[domain."example.com"]\n')
    server = house.server(path=tmp_path / "o.sock", windows={"example.com": timedelta(days=1)})
    house.do(server.start())

    def ask(*arguments: str, typed: str = "") -> str:
        done = CliRunner().invoke(root, ["recipients", "--config", str(config), "import", *arguments, "--yes"], input=typed)
        assert done.exit_code == 0, done.stderr
        return done.stderr

    with slapd() as directory:
        said = ask(directory.url, "--base", OPEN)
        assert said.endswith("example.com: 605 addresses listed\n")
        secure = (f"ldaps://127.0.0.1:{directory.tls_port}", "--ca-file", str(directory.ca_file), "--base", CLOSED)
        user = ("--bind-dn", READER, "--password-stdin")
        wishes = ("--filter", "(uid=u*)", "--attribute", "mail")
        assert ask(*secure, *user, *wishes, typed=f"{PASSWORD}\n").endswith("example.com: 600 addresses listed\n")
    assert "user599" in house.listed("example.com")
    house.do(server.stop())
