"""A new machine is set up in Chromium, from the one-time code to the first login. Pictures of each step."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import LOOKS, chromium, free_port, watch, web
from test_page_browser import in_order

from tests.setup.machine import PASSWORD, Machine

pytestmark = pytest.mark.peer
WAIT_MS = 60_000


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path)
    found.start()
    yield found
    found.kill()


def serve(machine: Machine) -> subprocess.Popen[bytes]:
    """What systemd does when the set-up has ended; on a port that is free here."""
    assert machine.ended()[0] == 0
    path = machine.places.configuration
    path.write_text(f'{path.read_text()}\n[smtp]\nlisten = ["127.0.0.1:{free_port()}"]\nworkers = 1\n')
    command = [sys.executable, "-m", "backupmx", "serve", "--config", str(path)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)


async def answer_all(page: Any) -> None:
    await page.get_by_label("Which domain is to be protected?").fill("example.com")
    await page.get_by_label("Where is its mail server?").fill("127.0.0.1:9")
    await page.get_by_label("What is this machine called in DNS?").fill("mx2.example.net")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("The password once more").fill(PASSWORD)
    await page.get_by_role("button", name="Go on").click()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
async def test_from_the_code_to_the_login(machine: Machine, scripts: bool) -> None:
    """Nothing but forms is needed; with scripts it is the same way, and the records can be copied."""
    with web(machine.places.socket) as (address, _):
        async with chromium() as browser:
            page = await browser.new_page(java_script_enabled=scripts)
            complaints = watch(page)
            await page.goto(f"{address}/queue")
            await page.get_by_label("One-time code").fill(machine.code)
            await page.get_by_role("button", name="Go on").click()
            await answer_all(page)
            await page.get_by_role("heading", name="Not everything is in place yet").wait_for(timeout=WAIT_MS)
            assert await page.locator(".copy").first.is_visible() is scripts
            await page.get_by_role("button", name="Set it up all the same").click()
            await page.get_by_text("This machine is set up").wait_for()
            server = await asyncio.to_thread(serve, machine)
            try:
                await page.get_by_role("button", name="Log in").wait_for(timeout=WAIT_MS)
                await page.get_by_label("Name").fill("admin")
                await page.get_by_label("Password").fill(PASSWORD)
                await page.get_by_role("button", name="Log in").click()
                await page.get_by_role("link", name="example.com").first.wait_for()
                assert [said for said in complaints if "503" not in said] == []
            finally:
                os.killpg(server.pid, signal.SIGTERM)
                await asyncio.to_thread(server.wait, 40)


@pytest.mark.timeout(240)
@LOOKS
async def test_the_steps_are_legible_and_in_order(machine: Machine, tmp_path: Path, size: Any, colours: Any) -> None:
    """On a phone and a desktop, by day and by night: fits, no complaint of the browser, none of axe."""
    with web(machine.places.socket) as (address, _):
        async with chromium() as browser:
            page = await browser.new_page(viewport=size, color_scheme=colours)
            complaints = watch(page)
            await in_order(page, address)
            await page.screenshot(path=tmp_path / "code.png", full_page=True)
            await page.get_by_label("One-time code").fill("wrong")
            await page.get_by_role("button", name="Go on").click()
            await in_order(page)
            await page.screenshot(path=tmp_path / "wrong.png", full_page=True)
            await page.get_by_label("One-time code").fill(machine.code)
            await page.get_by_role("button", name="Go on").click()
            await page.get_by_role("heading", name="A few questions").wait_for()
            await in_order(page)
            await page.screenshot(path=tmp_path / "answers.png", full_page=True)
            await answer_all(page)
            await in_order(page)
            await page.screenshot(path=tmp_path / "looking.png", full_page=True)
            await page.get_by_role("heading", name="Not everything is in place yet").wait_for(timeout=WAIT_MS)
            await in_order(page)
            await page.screenshot(path=tmp_path / "found.png", full_page=True)
            await page.get_by_role("link", name="Change the answers").click()
            await page.get_by_label("Which domain is to be protected?").fill("example")
            await page.get_by_label("How are you told").fill("petra@example.com")
            await page.get_by_role("button", name="Go on").click()
            await in_order(page)
            await page.screenshot(path=tmp_path / "faults.png", full_page=True)
            await page.get_by_label("Which domain is to be protected?").fill("example.com")
            await page.get_by_label("How are you told").fill("")
            await page.get_by_role("button", name="Go on").click()
            await page.get_by_role("button", name="Set it up all the same").click()
            await page.get_by_text("This machine is set up").wait_for()
            await in_order(page)
            await page.screenshot(path=tmp_path / "done.png", full_page=True)
            assert [said for said in complaints if "401" not in said and "422" not in said] == []
