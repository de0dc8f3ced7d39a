"""What a sender wished for goes on to the primary, or waits: DSN (RFC 3461) and REQUIRETLS (RFC 8689)."""

import pytest
import trustme

from backupmx.core.message import Recipient, State
from tests.courier import papers
from tests.courier.house import house, put, settings, until
from tests.courier.papers import demanding
from tests.courier.primary import EXTENSIONS, ScriptedPrimary
from tests.courier.test_aiosmtplib import certificate

WISHFUL = Recipient("user@example.com", "example.com", "SUCCESS,DELAY", "rfc822;user+2B@example.com")


async def test_wishes_for_notices_go_on_where_they_are_understood() -> None:
    """RFC 3461 section 5.2.1: as they came; a recipient without a wish has none afterwards."""
    primary = ScriptedPrimary((*EXTENSIONS, "DSN"))
    async with primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await put(at.spool, WISHFUL, "other@example.com", ret="HDRS", envid="QQ+2B314")
        at.courier.wake()
        await until(at.empty, "given back")
        assert primary.received[0].mail.endswith(" RET=HDRS ENVID=QQ+2B314")
        assert [line for line in primary.commands if line.startswith("RCPT")] == [
            "RCPT TO:<user@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;user+2B@example.com",
            "RCPT TO:<other@example.com>",
        ]


async def test_and_stay_here_where_they_are_not() -> None:
    """RFC 3461 section 5.2.1: the message goes all the same."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await put(at.spool, WISHFUL, ret="FULL", envid="x")
        at.courier.wake()
        await until(at.empty, "given back")
        assert "RET" not in primary.received[0].mail
        assert "RCPT TO:<user@example.com>" in primary.commands


async def test_a_message_that_requires_tls_goes_within_tls() -> None:
    """RFC 8689 section 4.2.1: and the demand goes along."""
    proven = trustme.CA().issue_cert("primary.test")
    primary = ScriptedPrimary((*EXTENSIONS, "REQUIRETLS"), papers.server(proven))
    async with primary, house(demanding([f"127.0.0.1:{primary.port}"], tls="verify", tls_pin=papers.pin(proven))) as at:
        await put(at.spool, requires_tls=True)
        at.courier.wake()
        await until(at.empty, "given back")
        assert primary.received[0].mail.endswith(" REQUIRETLS")


@pytest.mark.parametrize(("extensions", "tls"), [((*EXTENSIONS, "REQUIRETLS"), False), (EXTENSIONS, True)])
async def test_or_waits(extensions: tuple[str, ...], tls: bool) -> None:
    """RFC 8689: not in plain text, not to a primary that does not promise it; it may learn to, so this is no failure."""
    primary = ScriptedPrimary(extensions, certificate() if tls else None)
    async with primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        id = await put(at.spool, requires_tls=True)
        at.courier.wake()
        await until(lambda: at.said(id), "tried")
        assert at.spool.get(id).state() is State.WAITING  # type: ignore[union-attr]
        assert "4.7.30" in at.said(id)
        assert not primary.received
        assert not primary.verbs["MAIL"]
