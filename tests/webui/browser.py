"""The page as `backupmx web` serves it, in a process of its own, and Debian's Chromium to look at it."""

import select
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from canned import PASSWORD
from playwright.async_api import Browser, Page, async_playwright

DESKTOP = {"width": 1120, "height": 860}
PHONE = {"width": 375, "height": 812}
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REFRESHED_MS = 15_000
REFRESH = "htmx.trigger('#live', 'refresh')"
"""What the page does when it is looked at again; the first refresh of a test comes by itself."""
SERVE = """
import sys
from pathlib import Path
from backupmx.core.notation import listener
from webui.serve import run
run(listener(sys.argv[1]), Path(sys.argv[2]))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def web(control: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the page's process; gives its address once it says that it is ready."""
    listen = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen([sys.executable, "-c", SERVE, listen, str(control)], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        assert select.select([process.stderr], [], [], 20)[0]
        assert process.stderr.readline() == "backupmx web: ready\n"
        yield f"http://{listen}", process
    finally:
        process.terminate()
        try:
            _, said = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, said
    assert said == "", f"the page has nothing to log on a good day: {said!a}"


LOOKS = pytest.mark.parametrize(
    ("size", "colours"),
    [
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param(DESKTOP, "light", id="desktop-light"),
        # what fits depends on the size, and what is legible on the colours: both were seen
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.campaign),
        pytest.param(DESKTOP, "dark", id="desktop-dark", marks=pytest.mark.campaign),
    ],
)
"""How people see a page."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


async def log_in(page: Page, address: str) -> None:
    await page.goto(address)
    await page.get_by_label("Name").fill("petra")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_selector("#depth, .envelope, .truth")


def watch(page: Page) -> list[str]:
    """Everything that a browser complains of."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    return complaints
