"""Lists of who exists, in the forms that people have them in."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backupmx.core.path import mailbox
from backupmx.core.roster import PROBLEMS_TOLD, Entry, Roster, gathered, parse, spellings


def of(*locals_: str, domain: str = "example.com") -> frozenset[Entry]:
    return frozenset((domain, local) for local in locals_)


def told(roster: Roster) -> list[str]:
    """Where the problems are."""
    return [problem.partition(":")[0] for problem in roster.problems]


def test_a_plain_list_has_an_address_a_line() -> None:
    """Comments and blank lines are nothing, `*@domain` and `@domain` are everyone there."""
    roster = parse("# staff\nAnna.Lang@example.com\n\n  ben+lists@EXAMPLE.com.  # left in May\n*@all.test\n@every.test\n")
    assert roster == Roster(of("Anna.Lang", "ben+lists") | {("all.test", "*"), ("every.test", "*")})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_every_end_of_a_line_is_known(end: str) -> None:
    """Also a BOM in front, and none at the end of the last line; numbers count lines."""
    roster = parse("\ufeff" + end.join(["a@example.com", "", "oops@", "b@example.com"]))
    assert roster.entries == of("a", "b")
    assert told(roster) == ["line 3"]


def test_ends_of_lines_may_be_mixed() -> None:
    """As after an edit on another system; other characters that Unicode takes for ends are none."""
    roster = parse("a@example.com\r\nb@example.com\n\rc@example.com\nd\u2028e@example.com")
    assert roster.entries >= of("a", "b", "c")
    assert "d" not in {local for _, local in roster.entries}


def test_a_lone_user_is_of_the_domain_that_is_given() -> None:
    """And a problem where none is."""
    assert parse("anna\n*\n", "example.com").entries == of("anna", "*")
    roster = parse("anna\n")
    assert roster == Roster(frozenset(), ('line 1: "anna" has no domain',))


def test_an_international_address_is_known_by_its_a_labels() -> None:
    """Local parts stay as they are."""
    assert parse("Jürgen@exämple.com").entries == {("xn--exmple-cua.com", "Jürgen")}


def test_a_quoted_local_part_is_one_word() -> None:
    """Blanks and separators in it too, in all forms."""
    assert parse('"a b"@example.com\n"c,d"@example.com  OK\n').entries == of('"a b"', '"c,d"')


def test_any_value_in_a_postfix_map_means_that_the_address_exists() -> None:
    """As for relay_recipient_maps; a value may go on in indented lines, and hold addresses that are no keys."""
    text = (
        "a@example.com   OK\n"
        "b@example.com\tx\n"
        "c@example.com REJECT no longer here\n"
        "@all.test  anything\n"
        "d@example.com  e@inside.test,\n"
        "   f@inside.test, error:5.1.1 g@inside.test\n"
        "# comment\n"
        "   h@inside.test, more\n"
        "i@example.com error:unknown\n"
    )
    assert parse(text) == Roster(of("a", "b", "c", "d", "i") | {("all.test", "*")})


def test_an_indented_address_alone_is_nobody_lost() -> None:
    """It may be a value, but more likely a list that is not tidy."""
    assert parse("a@example.com  # boss\n  b@example.com\n  c'd@example.com\n").entries == of("a", "b", "c'd")


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=repr)
@pytest.mark.parametrize("heading", ["mail", "E-Mail", "Email Address", "PrimarySmtpAddress", "Primary SMTP address", "Address"])
def test_a_table_is_read_by_its_heading(separator: str, heading: str) -> None:
    """Wherever the column is; who has no mail has an empty cell."""
    rows = [["Name", heading, "Manager"], ["Lang", "anna@example.com", "boss@example.com"], ["Printer", "", ""]]
    rows += [['"Roe; Ben, Dr."', '"ben@example.com"', ""]]
    assert parse("\n".join(separator.join(row) for row in rows)) == Roster(of("anna", "ben"))


def test_a_street_is_no_address_where_there_is_a_better_column() -> None:
    """`address` counts where no other heading does."""
    assert parse("name,address,mail\nAnna,1 Main Street,anna@example.com\n") == Roster(of("anna"))


def test_a_table_without_a_known_heading_is_read_by_its_cells() -> None:
    """The first column that holds the most addresses; headings in other words are passed over."""
    rows = "Lang;anna@example.com;boss@example.com\nRoe;ben@example.com;\n"
    assert parse(rows) == Roster(of("anna", "ben"))
    assert parse("Name;Postfach;Chef\n" + rows) == Roster(of("anna", "ben"))
    assert parse("anna@example.com,Anna Lang\nben@example.com,Ben Roe\n") == Roster(of("anna", "ben"))


def test_a_row_of_addresses_alone_is_taken_whole() -> None:
    """As pasted from a letter's field."""
    assert parse("a@example.com, b@example.com; c@example.com\nd@example.com,,e@example.com") == Roster(of(*"abcde"))
    assert parse("a@example.com, b@example.com,\nc@example.com,,d@example.com\ne,f@example.com,\n").entries == of(*"abcd")


def test_one_column_may_have_a_heading() -> None:
    """With quotes, as PowerShell writes it, or without; but `mail` among users is a user."""
    assert parse('#TYPE Selected\n"PrimarySmtpAddress"\n"a@example.com"\n"b@example.com"\n') == Roster(of("a", "b"))
    assert parse('"a@example.com"\n"b@example.com"\n') == Roster(of("a", "b"))
    assert parse("email\na@example.com\n", "example.com") == Roster(of("a"))
    assert parse("mail\nanna\n", "example.com") == Roster(of("mail", "anna"))


@pytest.mark.parametrize(
    "cell",
    [
        "SMTP:anna@example.com;smtp:lang@example.com;SIP:anna@example.net;x500:/o=First Org, Inc/ou=A/cn=anna",
        "smtp:lang@example.com,X500:/o=First Org, Inc/cn=anna@old.test,SMTP:anna@example.com",
        "SMTP:anna@example.com smtp:lang@example.com SPO:SPO_1@SPO_2",
        "SMTP:anna@example.com+smtp:lang@example.com+sip:anna@example.net",
        "{SMTP:anna@example.com, smtp:lang@example.com}",
    ],
)
def test_a_cell_may_hold_the_addresses_of_all_protocols(cell: str) -> None:
    """As Exchange, PowerShell and the admin centre write them: those of SMTP count."""
    roster = parse(f'"DisplayName","ProxyAddresses"\n"Lang, Anna","{cell}"\n')
    assert roster.entries >= of("anna", "lang")
    assert {domain for domain, _ in roster.entries} <= {"example.com", "old.test"}
    assert roster.problems == ()


def test_addresses_of_protocols_may_stand_in_lines() -> None:
    """One or more in a line."""
    text = "SMTP:a@example.com\nsmtp:b@example.com;smtp:c@example.com\nx500:/o=First Org/cn=a\nSIP:a@example.com\n"
    assert parse(text) == Roster(of("a", "b", "c"))


def test_what_is_no_address_is_named() -> None:
    """By its line, in every form; the others are taken."""
    lines = ["a@example.com", "John Doe <john@example.com>", "x@ex_ample.com", "u@[192.0.2.1]", "b@example.com,oops", ".c@b.test"]
    roster = parse("\n".join(lines))
    assert roster.entries == of("a", "b")
    assert told(roster) == ["line 2", "line 3", "line 4", "line 5", "line 6"]
    roster = parse("name,mail\nAnna,anna@example.com\nBen\nCyd,cyd at example.com\nDan,dan@example.com\n")
    assert roster.entries == of("anna", "dan")
    assert told(roster) == ["line 3", "line 4"]
    assert parse("name,colour\nAnna,red\n").problems == ("line 1: no column holds addresses",)


def test_a_quote_that_is_not_closed_costs_its_own_lines_alone() -> None:
    """Each line that cannot be read is named."""
    roster = parse('name,mail\nAnna,a@example.com\n"Ben,b@example.com\n"Cyd",c@example.com\nDan,d@example.com\n')
    assert roster.entries >= of("a", "d")
    assert told(roster) == ["line 3", "line 4"]


def test_a_cell_may_have_more_than_one_line() -> None:
    """RFC 4180 section 2; the address further on is in its column."""
    assert parse('name,note,mail\nAnna,"one\ntwo",a@example.com\n') == Roster(of("a"))


def test_problems_are_bounded_and_free_of_control_characters() -> None:
    """I4, I7: the first ones are told, the others counted."""
    roster = parse("a@example.com\n" + "\x1b[31m\u202e@\n" * 1000 + "x" * 100_000)
    assert roster.entries == of("a")
    assert len(roster.problems) == PROBLEMS_TOLD + 1
    assert roster.problems[-1] == f"and {1001 - PROBLEMS_TOLD} more"
    assert all(problem.isascii() and problem.isprintable() and len(problem) < 500 for problem in roster.problems)


def test_what_was_no_utf8_is_no_address() -> None:
    """Octets that could not be decoded come as surrogates; elsewhere they do no harm."""
    text = b"name;mail\nM\xfcller;mueller@example.com\nX;m\xfcller@example.com\n".decode("utf-8", "surrogateescape")
    roster = parse(text)
    assert roster.entries == of("mueller")
    assert told(roster) == ["line 3"]


def test_odd_blanks_do_not_belong_to_an_address() -> None:
    """Around it they are nothing, and in it they are told."""
    roster = parse("\u00a0a@example.com\u00a0\nb\u00a0@example.com\nc\u200b@example.com\nd\u0085e@example.com\n")
    assert roster.entries == of("a")
    assert told(roster) == ["line 2", "line 3", "line 4"]


def test_a_long_line_ends_soon() -> None:
    """I4: also one made to be read again and again."""
    assert parse('"' * 60_000).entries == frozenset()
    assert parse('a@example.com\n\\"' + '"\\' * 1_000_000).entries == of("a")


HARD = st.text(st.sampled_from('ab@.*#",;:+\\ \t\r\n{}<>éx\u3002\udc80'), max_size=80)
LINES = st.lists(
    st.text(max_size=20)
    | HARD
    | st.sampled_from(["mail", "smtp:a@b.test", "x500:/o=a, b", "a@b.test", '"a b"@c.test', "name,mail", "@d.test OK"])
).map("\n".join)


@given(st.text() | HARD | LINES, st.none() | st.just("example.com"))
@example("a@\ud800.test", None)
@example(",0\x85@0", None)
@example("a@xn--a.test\nb@a\u200d.test\nc@\u0660a.test", None)
def test_no_text_fails_and_each_entry_is_read_back(text: str, domain: str | None) -> None:
    """What comes out is an address, and a list of it says the same."""
    roster = parse(text, domain)
    assert len(roster.problems) <= PROBLEMS_TOLD + 1
    for name, local in roster.entries:
        assert mailbox(f"{local}@{name}".encode()) is not None
        line = f"{local}@{name}"
        # a line that begins so would be a comment
        assert parse(f"smtp:{line}" if line.startswith("#") else line) == Roster(frozenset({(name, local)}))


@given(st.lists(st.text() | HARD))
def test_no_value_of_a_directory_fails(values: list[str]) -> None:
    """Whatever stands in it."""
    assert {domain for domain, _ in gathered(values, "b.test").entries} <= {"b.test"}


def test_of_a_directory_the_addresses_of_one_domain_count() -> None:
    """Other protocols do not, nor what other domains have, well-formed or not."""
    values = [
        "SMTP:Anna@Example.com",
        "smtp: lang@example.com",
        "ben@example.com ",
        "x500:/o=Org/cn=anna@example.com",
        "custom:anna",
        "sip:anna@example.com",
        "anna@other.test",
        "odd@@internal_name",
        "",
    ]
    assert gathered(values, "example.com") == Roster(of("Anna", "lang", "ben"))
    roster = gathered([".oops@example.com", "oops"], "example.com")
    assert roster == Roster(frozenset(), ('".oops@example.com" is no address', '"oops" has no domain'))


@pytest.mark.parametrize(
    ("local", "delimiter", "fold_case", "expected"),
    [
        ("user", "+", False, ("user",)),
        ("user+tag", "+", False, ("user+tag", "user")),
        ("User+Tag", "+", True, ("user+tag", "user")),
        ("User", "", True, ("user",)),
        ("user+tag", "", False, ("user+tag",)),
        ("user-a+b", "+-", False, ("user-a+b", "user")),
        ("user+a-b", "+-", False, ("user+a-b", "user")),
        ("user+", "+", False, ("user+", "user")),
        ("+tag", "+", False, ("+tag",)),
        ("+a+b", "+", False, ("+a+b",)),
        ('"User+Tag"', "+", True, ('"user+tag"',)),
        ('"User+Tag"', "+", False, ('"User+Tag"',)),
        ("JÜRGEN+x", "+", True, ("jürgen+x", "jürgen")),
    ],
)
def test_an_address_is_known_by_its_spellings(local: str, delimiter: str, fold_case: bool, expected: tuple[str, ...]) -> None:
    """The most exact first, each once, and never without a user."""
    assert spellings(local, delimiter, fold_case) == expected
