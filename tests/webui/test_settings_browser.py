"""The settings in a real browser: how they look, and the whole way with a second factor, with scripts and without."""

import re
from pathlib import Path
from typing import Any

import pytest
from browser import LOOKS, chromium, log_in, watch, web
from canned import PASSWORD
from guest import Home
from test_page_browser import in_order

from backupmx.control.accounts import Scope

pytestmark = pytest.mark.peer


@pytest.mark.timeout(240)
@LOOKS
async def test_it_is_legible_and_in_order(home: Home, tmp_path: Path, size: Any, colours: Any) -> None:
    """Fits, no complaint of the browser, none of axe; a picture of each page."""
    home.accounts.create_token("grafana", home.running.now)
    home.accounts.create_token("directory.example.com", home.running.now, Scope.RECIPIENTS)
    async with chromium() as browser:
        with web(home.place / "c.sock") as (address, _):
            phone = await browser.new_page()
            await log_in(phone, address)
            page = await browser.new_page(viewport=size, color_scheme=colours)
            complaints = watch(page)
            await log_in(page, address)
            for name in ("", "/second", "/users", "/tokens", "/backup", "/alerts"):
                await in_order(page, f"{address}/settings{name}")
                await page.screenshot(path=tmp_path / f"settings{name.replace('/', '-')}.png", full_page=True)
            await page.get_by_role("button", name="For 1 hour").click()
            await page.goto(f"{address}/settings/tokens")
            await page.get_by_label("Name").fill("prometheus")
            await page.get_by_role("button", name="Make the token").click()
            await in_order(page)
            await page.screenshot(path=tmp_path / "token.png", full_page=True)
            await page.goto(f"{address}/settings/second")
            await page.get_by_label("The code that it shows now").fill(home.code(await secret_of(page)))
            await page.get_by_role("button", name="Turn it on").click()
            await in_order(page)
            await page.screenshot(path=tmp_path / "recovery.png", full_page=True)
            await in_order(page, f"{address}/settings/alerts")
            await page.screenshot(path=tmp_path / "muted.png", full_page=True)
            await in_order(page, f"{address}/settings")
            await page.screenshot(path=tmp_path / "own.png", full_page=True)
            await page.get_by_role("button", name="Log out").click()
            await page.get_by_label("Name").fill("petra")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Log in").click()
            await in_order(page)
            await page.screenshot(path=tmp_path / "code.png", full_page=True)
            assert complaints == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
async def test_every_form_works_by_hand(home: Home, scripts: bool) -> None:
    """A user is added, and comes in; a session, a token, the user and the second factor go again."""
    async with chromium() as browser:
        with web(home.place / "c.sock") as (address, _):
            page = await browser.new_page(java_script_enabled=scripts)
            complaints = watch(page)
            await log_in(page, address)

            async def press(name: str, said: str, kind: Any = "button") -> None:
                await page.get_by_role(kind, name=name, exact=True).click()
                await page.wait_for_selector(f":is(.flash, h1, h2):has-text('{said}')")

            await press("Settings", "Settings", "link")
            await press("Users", "Another user", "link")
            await page.get_by_label("Name").fill("gustav")
            await page.locator("form.filter select").select_option("operator")
            await page.get_by_label("Password, at least").fill("a password for gustav")
            await press("Add the user", "gustav is added.")
            other = await (await browser.new_context()).new_page()
            await other.goto(address)
            await other.get_by_label("Name").fill("gustav")
            await other.get_by_label("Password").fill("a password for gustav")
            await other.get_by_role("button", name="Log in").click()
            await other.wait_for_selector("#depth")
            await page.reload()
            await page.get_by_label("Change gustav").click()
            await press("End the session", "1 session has ended.")
            await other.goto(address)
            assert "/login" in other.url
            await page.get_by_label("Change gustav").click()
            await press("Remove gustav", "gustav is removed.")
            await press("Tokens", "Another token", "link")
            await page.get_by_label("Name").fill("grafana")
            await press("Make the token", "grafana is made.")
            await page.get_by_label("Revoke grafana", exact=True).click()
            await press("Revoke grafana", "grafana opens nothing any more.")
            await press("Alerts", "A time without alerts", "link")
            await press("For 4 hours", "Nobody is told")
            await press("End it now", "told again")
            await press("Your account", "Second factor", "link")
            await press("Set it up", "Set up a second factor", "link")
            await page.get_by_label("The code that it shows now").fill(home.code(await secret_of(page)))
            await press("Turn it on", "Recovery codes")
            recovery = await page.locator(".codes code").first.text_content()
            await press("I have them", "Your sessions", "link")
            await press("Log out", "Log in")
            await page.get_by_label("Name").fill("petra")
            await page.get_by_label("Password").fill(PASSWORD)
            await press("Log in", "One thing more")
            await page.get_by_label("Code from your app").fill(recovery or "")
            await press("Log in", "is safe")
            await page.goto(f"{address}/settings")
            await page.locator("summary").get_by_text("Turn it off").click()
            await page.get_by_label("Your password", exact=True).fill(PASSWORD)
            await press("Turn it off", "your password alone lets you in")
            assert complaints == []


async def secret_of(page: Any) -> str:
    """What the page shows as text beside the drawing."""
    return re.sub(r"\s", "", await page.text_content(".secret") or "")
