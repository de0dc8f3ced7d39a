"""Never an open relay, whatever the form of the address (I2)."""

from tests.edge.door import client, door

FORMS = [
    "<user@other.test>",
    "<user%other.test@example.com>",
    "<other.test!user@example.com>",
    '<"user@other.test"@example.com>',
    '<"user%other.test"@example.com>',
    "<@example.com:user@other.test>",
    "<@other.test:user@example.com>",
    "<@a.test,@b.test:user@example.com>",
    "<user@other.test@example.com>",
    "<user@example.com@other.test>",
    "<user@example.com.other.test>",
    "<user@[127.0.0.1]>",
    "<user@localhost>",
    "<user@mx2.example.net>",
    "<user@=?utf-8?q?other.test?=>",
    "<=?utf-8?q?user=40other.test?=@other.test>",
    "<user@example.com> <user@other.test>",
    "<user@example.com,user@other.test>",
    "user@example.com",
    "<user@example.com",
    "<user@other.test (@example.com)>",
    "<user@other.test\\@example.com>",
    "<postmaster@other.test>",
    "<postmaster%other.test@example.com>",
    "<>",
    "< >",
    "",
]


async def test_no_form_of_an_address_opens_the_relay() -> None:
    """I2: each is refused for good, and leaves no recipient behind."""
    async with door() as at:
        for form in FORMS:
            async with client(at.port) as talk:
                await talk.say("MAIL FROM:<a@sender.test>")
                assert (await talk.say(f"RCPT TO:{form}")).startswith(("550 5.7.1 ", "501 5.1.3 ", "555 5.5.4")), form
                assert (await talk.say("DATA")).startswith("503 5.5.1 ")
        assert not at.spool.messages


async def test_what_came_in_for_one_domain_names_that_domain_alone() -> None:
    """I2: the courier is told which route each recipient has; who is named twice is one recipient."""
    async with door() as at, client(at.port) as talk:
        await talk.say("MAIL FROM:<> SMTPUTF8")
        for recipient in (
            "postmaster",
            "a@EXAMPLE.com",
            "a@bücher.example",
            "a@example.com",
            "a@xn--bcher-kva.example",
            "postmaster@example.com",
        ):
            assert (await talk.say(f"RCPT TO:<{recipient}>")).startswith("250 "), recipient
        await talk.say("DATA")
        talk.send(b".\r\n")
        assert (await talk.reply()).startswith("250 ")
        (message,) = at.spool.messages.values()
        assert [(one.address, one.domain) for one in message.envelope.recipients] == [
            ("postmaster@example.com", "example.com"),
            ("a@EXAMPLE.com", "example.com"),
            ("a@bücher.example", "xn--bcher-kva.example"),
        ]
