"""The page in Swedish, in a browser: chosen with a click, legible, and in order."""

from pathlib import Path
from typing import Any

import pytest
from browser import DESKTOP, PHONE, chromium, log_in, watch
from canned import Canned
from test_page_browser import in_order

pytestmark = pytest.mark.peer


@pytest.mark.timeout(240)
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_swedish_is_chosen_with_a_click_and_fits(address: str, canned: Canned, tmp_path: Path, size: Any) -> None:
    """Longer words than the English ones: nothing is too wide, axe finds nothing; a picture of each page."""
    here, gone = canned.rows[4].message.id, canned.gone[2].id
    paths = {
        "overview": "/",
        "queue": "/queue?domain=example.com&older=1h",
        "message": f"/message/{here}",
        "gone": f"/message/{gone}",
        "track": "/track",
        "report": "/report",
    }
    async with chromium() as browser:
        page = await browser.new_page(viewport=size)
        complaints = watch(page)
        await log_in(page, address)
        await page.goto(address + "/queue")
        await page.get_by_role("button", name="svenska").click()
        await page.wait_for_url(address + "/queue")
        assert await page.evaluate("document.documentElement.lang") == "sv"
        for name, path in paths.items():
            await in_order(page, address + path)
            await page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        await page.goto(address + "/queue")
        await page.get_by_label("Hela kön").check()
        await page.get_by_role("button", name="Ta bort …").click()
        await in_order(page)
        await page.screenshot(path=tmp_path / "preview.png", full_page=True)
        await page.get_by_role("button", name="Logga ut").click()
        await in_order(page)
        await page.screenshot(path=tmp_path / "login.png", full_page=True)
        assert [said for said in complaints if "404" not in said] == []
