"""The page in a real browser, steered by hand: with scripts and without, by keyboard, and by a newcomer."""

from pathlib import Path
from typing import Any

import pytest
from browser import DESKTOP, PHONE, REFRESH, REFRESHED_MS, chromium, log_in, watch, web
from canned import PASSWORD, Canned
from real import ID, Running
from samples import ago, row

from backupmx.control.accounts import Accounts, Role
from backupmx.control.requests import Act, Verb

pytestmark = pytest.mark.peer


async def test_what_is_chosen_stays_chosen(address: str, canned: Canned) -> None:
    """The list refreshes under the reader's hands: boxes keep their marks, what is gone is chosen no more, the count follows."""
    async with chromium() as browser:
        page = await browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
        complaints = watch(page)
        await log_in(page, address)
        await page.goto(address + "/queue")
        kept, leaves = (canned.rows[place].message.id for place in (1, 4))
        await page.get_by_label(f"Choose {kept}").check()
        await page.get_by_label(f"Choose {leaves}").check()
        assert await page.text_content("#picked") == "2 chosen"
        newer = row(40, "new@sender.example", arrived=ago(seconds=1))
        canned.rows = [newer, *(known for known in canned.rows if known.message.id != leaves)]
        await page.evaluate(REFRESH)
        await page.wait_for_selector(f"#message-{newer.message.id}", timeout=REFRESHED_MS)
        assert await page.get_by_label(f"Choose {kept}").is_checked()
        assert not await page.get_by_label(f"Choose {newer.message.id}").is_checked()
        assert await page.text_content("#picked") == "1 chosen"
        await page.get_by_label("This page").check()
        assert await page.text_content("#picked") == f"{len(canned.rows)} chosen"
        assert complaints == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
async def test_every_action_works(address: str, canned: Canned, scripts: bool) -> None:
    """By hand, once each, with JavaScript and without: on chosen messages, on all that match, and on a message's own page."""
    waiting, held = canned.rows[1].message.id, canned.rows[6].message.id
    async with chromium() as browser:
        page = await browser.new_page(java_script_enabled=scripts)
        complaints = watch(page)
        await log_in(page, address)
        for verb, name, id, why in (
            (Verb.RETRY, "Try now", waiting, ""),
            (Verb.HOLD, "Hold", waiting, "looks odd"),
            (Verb.RELEASE, "Release", held, "is fine"),
            (Verb.BOUNCE, "Send back", waiting, "is spam"),
            (Verb.DELETE, "Delete", waiting, "is spam"),
        ):
            await page.goto(address + "/queue")
            await page.get_by_label(f"Choose {id}").check()
            await page.get_by_role("button", name=f"{name} …").click()
            if why:
                await page.get_by_label("Reason").fill(why)
            await page.get_by_role("button", name=f"{name}: 1 message").click()
            await page.wait_for_selector(".flash.done")
            assert Act(verb, (id,), "petra", why) in canned.asked
        await page.goto(address + "/queue")
        await page.get_by_label("Subject").fill("invoice")
        await page.get_by_label("Older than").select_option("1h")
        await page.get_by_role("button", name="Filter").click()
        assert page.url == f"{address}/queue?older=1h&subject=invoice"
        await page.get_by_label("All that match the filter").check()
        await page.get_by_role("button", name="Hold …").click()
        assert "You are about to hold 1,204 messages." in (await page.text_content("h1") or "")
        await page.get_by_role("button", name="Hold: 1,204 messages").click()
        await page.wait_for_selector(".flash.done:has-text('Held: 1,204 messages.')")
        await page.goto(f"{address}/message/{canned.rows[1].message.id}")
        await page.get_by_role("button", name="Try now").click()
        await page.wait_for_selector(".flash.done")
        assert page.url == f"{address}/message/{canned.rows[1].message.id}"
        async with page.expect_download() as coming:
            await page.get_by_role("button", name="Download the content").click()
        assert Path(await (await coming.value).path()).read_bytes() == canned.content  # noqa: ASYNC240
        await page.goto(address + "/track")
        await page.get_by_label("From").fill("partner")
        await page.get_by_role("button", name="Search").click()
        await page.get_by_role("link", name=canned.gone[0].id).click()
        await page.wait_for_selector("h1:has-text('passed on at once')")
        await page.goto(address + "/report")
        await page.get_by_role("link", name="October 2026").click()
        await page.wait_for_selector("h1:has-text('October 2026')")
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_selector("h1:has-text('Log in')")
        assert complaints == []


async def test_long_work_goes_on_by_itself(address: str, canned: Canned) -> None:
    """With scripts nobody has to press anything more than once."""
    canned.matching, canned.batch, canned.slow = 3000, 1000, 2.5
    async with chromium() as browser:
        page = await browser.new_page()
        await log_in(page, address)
        await page.goto(address + "/queue")
        await page.get_by_label("The whole queue").check()
        await page.get_by_role("button", name="Try now …").click()
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method) if request.url.endswith("/queue/act") else None)
        await page.get_by_role("button", name="Try now: 3,000 messages").click()
        await page.wait_for_selector(".flash.done:has-text('To be tried now: 3,000 messages.')", timeout=2 * REFRESHED_MS)
        assert sent == ["POST"] * 3


async def test_the_keyboard_is_enough(address: str, canned: Canned) -> None:
    """The first key leads past the head; every control shows where one is."""
    async with chromium() as browser:
        page = await browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
        await log_in(page, address)
        await page.goto(address + "/queue")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        assert await page.is_visible(".skip")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.name") == "domain"
        await page.get_by_label(f"Choose {canned.rows[1].message.id}").focus()
        await page.keyboard.press("Space")
        assert await page.text_content("#picked") == "1 chosen"


@pytest.mark.timeout(120)
async def test_a_newcomers_walk(house: Path, running: Running) -> None:
    """From the page's door to what happened to a message, in six clicks, with a real server behind it; as the README has it."""
    Accounts(house / "accounts.json").set_user("petra", Role.ADMIN, PASSWORD)
    clicks = 0
    async with chromium() as browser:
        page = await browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        complaints = watch(page)

        async def click(role: Any, name: str, expect: str) -> None:
            nonlocal clicks
            clicks += 1
            await page.get_by_role(role, name=name, exact=True).click()
            await page.wait_for_selector(f":is(h1, .flash):has-text('{expect}')")

        with web(house / "c.sock") as (address, _):
            await page.goto(address)
            await page.get_by_label("Name").fill("petra")
            await page.get_by_label("Password").fill(PASSWORD)
            await click("button", "Log in", "1 message (21 B) is safe")
            await click("link", "1", "Queue")
            await click("link", ID, "the primary is down; goes as soon as the primary is back")
            await click("button", "Try now", "To be tried now: 1 message.")
            running.come_back()
            await click("link", "Track", "What became of a message")
            await click("link", ID, "It was delivered")
        assert clicks == 6
        assert "Delivered to user@example.com." in (await page.text_content(".life") or "")
        assert complaints == []
