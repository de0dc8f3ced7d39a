"""Paths, strictly (RFC 5321 section 4.1.2): what does not match is no address (I2, I7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core.path import Argument, argument, mailbox

GOOD = [
    b"user@example.com",
    b"first.last+tag@sub.example.com",
    b"!#$%&'*+-/=?^_`{|}~@example.com",
    b'"quoted local"@example.com',
    b'"with \\" and \\\\ in it"@example.com',
    b'""@example.com',
    b"user@[192.0.2.1]",
    b"user@[IPv6:2001:db8::1]",
    b"user@localhost",
    b"user@xn--exmple-cua.com",
    "jürgen@exämple.com".encode(),
    b"=?utf-8?q?x?=@example.com",
]
BAD = [
    b"",
    b"user",
    b"@example.com",
    b"user@",
    b"user@@example.com",
    b".user@example.com",
    b"user.@example.com",
    b"us..er@example.com",
    b"us er@example.com",
    b"user@exa mple.com",
    b"user@-example.com",
    b"user@example-.com",
    b"user@.example.com",
    b"user@example..com",
    b"user(comment)@example.com",
    b"user@example.com(comment)",
    b"user@(comment)example.com",
    b"<user@example.com>",
    b"Name <user@example.com>",
    b"user@example.com,other@example.com",
    b"user@example.com;",
    b"@relay.test:user@example.com",
    b"@a.test,@b.test:user@example.com",
    b"user@=?utf-8?q?example.com?=",
    b"user@example.com\r\nRCPT TO:<x@y>",
    b"us\rer@example.com",
    b"us\0er@example.com",
    b"us\ter@example.com",
    b'"us\ner"@example.com',
    b'"open@example.com',
    b'"a"b@example.com',
    b"user@[192.0.2.1",
    b"user@exa/mple.com",
    b"\xff\xfe@example.com",
    b"u" * 510 + b"@example.com",
    b"user@" + b"a" * 65 + b".com",
]


@pytest.mark.parametrize("path", GOOD, ids=repr)
def test_an_address_is_taken_as_it_came(path: bytes) -> None:
    """Nothing is decoded, unfolded or mended."""
    found = mailbox(path)
    assert found is not None
    assert str(found).encode() == path


@pytest.mark.parametrize("path", BAD, ids=lambda path: repr(path[:40]))
def test_what_does_not_match_the_grammar_is_no_address(path: bytes) -> None:
    """I2: no address is guessed out of something else."""
    assert mailbox(path) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"<a@b>", Argument(b"a@b", {})),
        (b" <a@b> ", Argument(b"a@b", {})),
        (b"<>", Argument(b"", {})),
        (b"<a@b> size=10 BODY=8bitmime SMTPUTF8", Argument(b"a@b", {"SIZE": "10", "BODY": "8bitmime", "SMTPUTF8": ""})),
        (b'<"a > b"@c>', Argument(b'"a > b"@c', {})),
    ],
    ids=repr,
)
def test_path_and_parameters_are_taken_apart(text: bytes, expected: Argument) -> None:
    """RFC 5321 section 4.1.2."""
    assert argument(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a@b",
        b"<a@b",
        b"a@b>",
        b"<a@b>SIZE=1",
        b"<a@b> SIZE=1 SIZE=2",
        b"<a@b> =1",
        b"<a@b> X=\xff",
        b"<a<b>@c>",
        b"<a@b> <c@d>x<",
    ],
    ids=repr,
)
def test_brackets_and_parameters_have_one_form(text: bytes) -> None:
    """Nothing is added that was left out."""
    found = argument(text)
    assert found is None or mailbox(found.path) is None or "<C@D>X<" in found.parameters


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f"<{text}@example.com>".encode()))
def test_no_control_character_ever_comes_out(text: bytes) -> None:
    """I7, and nothing that comes in makes the parser fail."""
    found = argument(text)
    address = mailbox(found.path if found else text)
    if address is not None:
        assert str(address).count("@") >= 1
        assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in str(address))


def test_only_ascii_needs_no_smtputf8() -> None:
    """RFC 6531 section 3.2."""
    plain, local, domain = mailbox(b"a@b"), mailbox("ä@b".encode()), mailbox("a@bä".encode())
    assert plain is not None and plain.ascii
    assert local is not None and not local.ascii
    assert domain is not None and not domain.ascii
