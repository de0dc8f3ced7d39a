"""The domains' pages as Chromium shows them: legible, in order, and of use without scripts. Pictures of each."""

from pathlib import Path
from typing import Any

import pytest
from browser import LOOKS, chromium, log_in, watch
from canned import Canned
from protected import ZONE
from test_page_browser import in_order

from backupmx.control.requests import AmendDomain
from backupmx.core.amendment import Amended, Change, Fault

pytestmark = pytest.mark.peer


@pytest.mark.timeout(240)
@LOOKS
async def test_they_are_legible_and_in_order(address: str, canned: Canned, tmp_path: Path, size: Any, colours: Any) -> None:
    """On a phone and a desktop, by day and by night."""
    canned.findings += ZONE
    paths = {
        "domains": "/domains",
        "domain": "/domains/example.com?address=anna@example.com",
        "settings": "/domains/example.com/settings",
        "protect": "/protect",
        "remove": "/domains/example.com/remove",
        "none": "/domains/none.example",
    }
    async with chromium() as browser:
        page = await browser.new_page(viewport=size, color_scheme=colours)
        complaints = watch(page)
        await log_in(page, address)
        for name, path in paths.items():
            await in_order(page, address + path)
            await page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        await page.goto(address + paths["settings"])
        await page.get_by_role("button", name="Only show what changes in the file").click()
        await in_order(page)
        await page.screenshot(path=tmp_path / "shown.png", full_page=True)
        canned.amended = Amended(faults=(Fault("holding_window", "must be a time with a unit"), Fault("", "something else")))
        await page.get_by_role("button", name="Change it").click()
        await page.get_by_text("must be a time with a unit").wait_for()
        await in_order(page)
        await page.screenshot(path=tmp_path / "faults.png", full_page=True)
        canned.hindrance = "/etc/backupmx/backupmx.toml: this user may not change it"
        await in_order(page, address + paths["settings"])
        await page.screenshot(path=tmp_path / "hindered.png", full_page=True)
        await page.goto(address + paths["domain"])
        await page.get_by_text("Bring a list of all who exist").click()
        await page.get_by_label("Or as text").fill("anna@example.com\nno such line <b>\n")
        await page.get_by_role("button", name="See what changes").click()
        await in_order(page)
        await page.screenshot(path=tmp_path / "list.png", full_page=True)
        assert [said for said in complaints if "404" not in said and "422" not in said] == []


async def test_a_record_is_copied_by_a_button(address: str, canned: Canned) -> None:
    """And without scripts there is none."""
    canned.findings += ZONE
    async with chromium() as browser:
        for scripts in (True, False):
            context = await browser.new_context(java_script_enabled=scripts)
            await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
            page = await context.new_page()
            await log_in(page, address)
            await page.goto(f"{address}/domains/example.com")
            button = page.get_by_role("button", name="Copy").first
            assert await page.locator(".copy").first.is_visible() is scripts
            if scripts:
                await button.click()
                copied = await page.evaluate("navigator.clipboard.readText()")
                assert copied == await page.locator(".lines pre").first.inner_text()


async def test_a_domain_is_changed_without_scripts(address: str, canned: Canned) -> None:
    """A form, a value, a button."""
    async with chromium() as browser:
        page = await browser.new_page(java_script_enabled=False)
        await log_in(page, address)
        await page.goto(f"{address}/domains/example.com")
        await page.get_by_role("button", name="Change …").click()
        await page.get_by_label("Holding window").fill("21d")
        await page.get_by_role("button", name="Change it").click()
        await page.get_by_text("It holds from now on").wait_for()
    asked = [request for request in canned.asked if isinstance(request, AmendDomain)]
    assert [(each.change, each.domain, each.wanted, each.by) for each in asked] == [
        (Change.SET, "example.com", {"holding_window": "21d"}, "petra")
    ]
