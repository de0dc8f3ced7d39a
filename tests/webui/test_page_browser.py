"""The page in a real browser: how it looks, and that it lives."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from axe_playwright_python.async_playwright import Axe
from browser import DESKTOP, LOOKS, PHONE, REFRESH, REFRESHED_MS, chromium, log_in, watch, web
from canned import Canned, serving
from past import records
from playwright.async_api import Page
from samples import OUTAGE, QUIET, ago, domain, row, status

from backupmx.core.finding import About
from backupmx.core.history import Outage
from backupmx.core.message import Client
from backupmx.core.status import PrimaryState

pytestmark = pytest.mark.peer


async def too_wide(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


async def violations(page: Page) -> str:
    found = await Axe().run(page)
    return json.dumps([[v["id"], [node["html"] for node in v["nodes"]]] for v in found.response["violations"]], indent=1)


@pytest.mark.timeout(240)
@LOOKS
async def test_it_is_legible_and_in_order(address: str, canned: Canned, tmp_path: Path, size: Any, colours: Any) -> None:
    """On a phone and a desktop, by day and by night: fits, no complaint of the browser, none of axe; a picture of each page."""
    here, gone = canned.rows[4].message.id, canned.gone[2].id
    paths = {
        "overview": "/",
        "month": "/?span=month",
        "queue": "/queue?domain=example.com&older=1h",
        "message": f"/message/{here}",
        "gone": f"/message/{gone}",
        "nobody": "/message/01JD0000000000000000000000",
        "track": "/track",
        "report": "/report",
    }
    async with chromium() as browser:
        page = await browser.new_page(viewport=size, color_scheme=colours)
        complaints = watch(page)
        await page.goto(address)
        assert await violations(page) == "[]"
        await log_in(page, address)
        for canned.status in (status(domain("example.com", PrimaryState.UNKNOWN)), QUIET, OUTAGE):
            await in_order(page, address + "/")
        for name, path in paths.items():
            await in_order(page, address + path)
            await page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        await page.goto(address + "/queue")
        await page.get_by_label("The whole queue").check()
        await page.get_by_role("button", name="Delete …").click()
        await in_order(page)
        await page.screenshot(path=tmp_path / "preview.png", full_page=True)
        # what is not there is told with 404, which a browser writes down
        assert [said for said in complaints if "404" not in said] == []


async def in_order(page: Page, address: str | None = None) -> None:
    """Fits, with all that can be unfolded unfolded, and axe finds nothing."""
    if address:
        await page.goto(address)
    await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert await violations(page) == "[]"
    assert not await too_wide(page)


async def test_the_figures_change_by_themselves(address: str, canned: Canned) -> None:
    """No reload, no flash: the same elements, the reader's place and selection, other figures."""
    async with chromium() as browser:
        page = await browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        complaints = watch(page)
        await log_in(page, address)
        await page.evaluate(
            """() => {
                window.before = [document.querySelector("#depth"), document.querySelector("h1")];
                document.querySelector("#numbers").open = true;
                document.querySelector("#newest").scrollIntoView();
                window.place = scrollY;
                getSelection().selectAllChildren(document.querySelector("#newest"));
            }"""
        )
        newer = row(40, "new@sender.example", arrived=ago(seconds=1))
        canned.rows.insert(0, newer)
        canned.status = msgspec.structs.replace(OUTAGE, queue=msgspec.structs.replace(OUTAGE.queue, messages=1205))
        await page.wait_for_selector("#depth:text-is('1,205')", timeout=REFRESHED_MS)
        await page.wait_for_selector(f"#message-{newer.message.id}")
        assert await page.title() == "1,205 waiting · Backup MX"
        assert await page.evaluate(
            "window.before[0] === document.querySelector('#depth') && window.before[1] === document.querySelector('h1')"
        )
        assert await page.evaluate("String(getSelection())") == "Newest messages"
        assert await page.evaluate("Math.abs(scrollY - window.place) < 200")
        assert await page.evaluate("document.querySelector('#numbers').open"), "what was unfolded stays so"
        assert not await page.is_visible("#lost")
        canned.status = None
        await page.evaluate(REFRESH)
        await page.wait_for_selector("h1:has-text('cannot be asked')", timeout=REFRESHED_MS)
        canned.status = QUIET
        await page.evaluate(REFRESH)
        await page.wait_for_selector("h1:has-text('All is well')", timeout=REFRESHED_MS)
        assert complaints == []


async def test_a_page_that_lost_its_server_says_so(place: Path) -> None:
    """Old figures are never shown as new ones."""
    async with chromium() as browser:
        page = await browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
        with serving(place, Canned()), web(place) as (address, _):
            await log_in(page, address)
            assert not await page.is_visible("#lost")
        await page.wait_for_selector("#lost", state="visible", timeout=REFRESHED_MS)


async def test_a_page_whose_session_ended_leads_to_the_login(address: str, canned: Canned) -> None:
    """Not a dead page, and not a login inside of a page."""
    async with chromium() as browser:
        page = await browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
        await log_in(page, address)
        canned.accounts.clear()
        await page.wait_for_url(f"{address}/login?next=/", timeout=REFRESHED_MS)


async def test_it_works_without_scripts(address: str, canned: Canned) -> None:
    """A browser with JavaScript switched off logs in, reads, and reloads the overview by itself."""
    async with chromium() as browser:
        page = await browser.new_page(java_script_enabled=False)
        await log_in(page, address)
        assert await page.text_content("#depth") == "1,204"
        canned.status = msgspec.structs.replace(OUTAGE, queue=msgspec.structs.replace(OUTAGE.queue, messages=1206))
        async with page.expect_navigation(timeout=REFRESHED_MS):
            pass
        assert await page.text_content("#depth") == "1,206"
        await page.goto(address + "/queue")
        assert not await page.is_visible("#picked"), "nothing is shown that does not work"


async def test_hostile_and_endless_text_does_no_harm(address: str, canned: Canned) -> None:
    """I7: nothing runs, nothing is wider than a phone, direction marks turn nothing around."""
    evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202e'
    endless = "a" * 2000 + evil
    canned.rows = [
        row(
            1,
            f"{endless}@evil.example",
            (f"{endless}@example.com",),
            f"550 {endless}",
            client=Client("192.0.2.1", endless),
            subject=endless,
        ),
        row(2, f"{evil}@evil.example", (f"{evil}@example.com",), evil, subject=evil),
    ]
    canned.content = f"Subject: {endless}\r\nX: {evil}\r\n\r\n".encode()
    canned.records = records(canned.rows)
    canned.outages = (Outage("example.com", ago(hours=1), None, endless),)
    canned.findings = (About("mx", endless).bad(endless, evil),)
    primary = msgspec.structs.replace(OUTAGE.domains[1].primary, last_error=endless)
    canned.status = status(msgspec.structs.replace(OUTAGE.domains[1], primary=primary))
    async with chromium() as browser:
        page = await browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        complaints = watch(page)
        await log_in(page, address)
        for path in ("/", "/queue", "/track", f"/queue?subject={quote(evil)}", f"/track?sender={quote(endless)}"):
            await page.goto(address + path)
            assert not await too_wide(page)
            assert await page.query_selector("img[onerror], main script") is None
        await page.goto(address)
        canned.rows.insert(0, row(3, evil))
        await page.evaluate(REFRESH)
        await page.wait_for_selector(f"#message-{canned.rows[0].message.id}", timeout=REFRESHED_MS)
        for shown in canned.rows:
            await page.goto(f"{address}/message/{shown.message.id}")
            await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
            assert not await too_wide(page)
        assert complaints == []
