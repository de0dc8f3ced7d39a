"""Which recipients may come in (I2)."""

import pytest

from backupmx.admission.domains import Domains, Refuse, Take
from backupmx.core.message import Recipient
from backupmx.core.path import mailbox
from backupmx.core.replies import RELAYING_DENIED

OURS = Domains(("example.com", "xn--exmple-cua.org"))


def judge(address: str) -> Take | Refuse:
    parsed = mailbox(address.encode())
    assert parsed is not None
    return OURS.judge(parsed)


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("user@example.com", "example.com"),
        ("user@EXAMPLE.Com", "example.com"),
        ("user@example.com.", "example.com"),
        ("User.Name+x@example.com", "example.com"),
        ('"quoted local"@example.com', "example.com"),
        ("postmaster@example.com", "example.com"),
        ("user@exämple.org", "xn--exmple-cua.org"),
        ("user@EXÄMPLE.org", "xn--exmple-cua.org"),
        ("user@XN--EXMPLE-CUA.ORG", "xn--exmple-cua.org"),
        ("user@e\uff58ample.com", "example.com"),
    ],
)
def test_recipients_of_configured_domains_are_taken_as_given(address: str, domain: str) -> None:
    """A domain is known in each of its spellings; the address stays as the client wrote it."""
    assert judge(address) == Take(Recipient(address, domain))


@pytest.mark.parametrize(
    "address",
    [
        "user@other.test",
        "user@sub.example.com",
        "user@example.com.evil.test",
        "user@xample.com",
        "user@com",
        "user@[192.0.2.1]",
        "user@[127.0.0.1]",
        "user%other.test@example.com",
        "other.test!user@example.com",
        '"user@other.test"@example.com',
        '"user\\@other.test"@example.com',
        '"@a.test:user@other.test"@example.com',
        '"user%other.test"@example.com',
        "postmaster%other.test@example.com",
        "user@ex\u00adample.org",
    ],
)
def test_everything_else_is_relaying(address: str) -> None:
    """I2: whatever the form of the address."""
    assert judge(address) == Refuse(RELAYING_DENIED)


def test_postmaster_without_a_domain_is_the_first_domains() -> None:
    """RFC 5321 section 4.5.1."""
    assert OURS.postmaster() == Take(Recipient("postmaster@example.com", "example.com"))
