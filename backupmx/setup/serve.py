"""Waits for somebody to set the machine up: a small server on the control socket, in the place of the one that comes after.

Knows: when its time is over: after a claim, and when a configuration is there that somebody wrote in another way.
Does not know: what is asked and answered (`desk`).
"""

import asyncio
import signal
import sys

from backupmx.control.conversations import Conversations
from backupmx.setup import code
from backupmx.setup.claim import claimed
from backupmx.setup.code import OneTimeCode
from backupmx.setup.configuration import Places
from backupmx.setup.desk import Desk
from backupmx.setup.look import look
from backupmx.supervisor import notify
from backupmx.watch import log


def serve(places: Places) -> None:
    """Until the machine is set up, or SIGTERM. Raises BackupMXError for what is in the way."""
    log.set_up("text", "setup")
    asyncio.run(_serve(places))


async def _serve(places: Places) -> None:
    if not claimed(places):
        desk = Desk(places, OneTimeCode(places.spool / code.NAME), look)
        conversations = Conversations(places.socket, desk.answers)
        await conversations.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, desk.over.set)
        watching = asyncio.create_task(desk.watch())
        log.setup_open(str(places.configuration))
        # one write: print makes two
        sys.stderr.write("backupmx: ready to be set up\n")
        sys.stderr.flush()
        notify("READY=1")
        await desk.over.wait()
        watching.cancel()
        await conversations.stop()
    if claimed(places):
        # also when `backupmx init` or a restored backup made it so
        code.forget(places.spool / code.NAME)
