"""Remake the README's picture of the page: `python tests/webui/screenshot.py PATH.png [phone] [dark] [whole]`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from browser import DESKTOP, PHONE, chromium, log_in, web
from canned import Canned, serving


async def take(
    address: str, picture: Path, *, phone: bool = False, dark: bool = False, path: str = "/", whole: bool = False
) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport=PHONE if phone else DESKTOP, color_scheme="dark" if dark else "light")  # type: ignore[arg-type]
        await log_in(page, address)
        await page.goto(address + path)
        await page.screenshot(path=picture, full_page=whole)


def main(picture: Path, *wishes: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        control = Path(place) / "control.sock"
        with serving(control, Canned()), web(control) as (address, _):
            asyncio.run(take(address, picture, phone="phone" in wishes, dark="dark" in wishes, whole="whole" in wishes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
