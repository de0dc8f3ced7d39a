"""The command line's root: which commands there are, and how trouble becomes an exit status."""

import sys

import rich_click as click

from backupmx import __version__
from backupmx.cli.lazy import LazyGroup
from backupmx.cli.options import PROGRAM, config_option
from backupmx.cli.terminal import say
from backupmx.errors import BackupMXError, ConfigurationError

EXIT_PROBLEM = 1
EXIT_CONFIGURATION = 78


class Root(LazyGroup):
    """All commands, and the exit statuses of the contract."""

    places = {
        "serve": "backupmx.cli.serve:serve",
        "web": "backupmx.cli.web:web",
        "demo": "backupmx.cli.demo:demo",
        "init": "backupmx.cli.init:init",
        "setup": "backupmx.cli.setup:setup",
        "check": "backupmx.cli.check:check",
        "status": "backupmx.cli.status:status",
        "reload": "backupmx.cli.reload:reload",
        "queue": "backupmx.cli.queue:queue",
        "mailq": "backupmx.cli.mailq:mailq",
        "qshape": "backupmx.cli.qshape:qshape",
        "flush": "backupmx.cli.act:flush",
        "track": "backupmx.cli.track:track",
        "report": "backupmx.cli.report:report",
        "recipients": "backupmx.cli.recipients:recipients",
        "domain": "backupmx.cli.domain:domain",
        "alerts": "backupmx.cli.alerts:alerts",
        "spool": "backupmx.cli.spool:spool",
        "backup": "backupmx.cli.backup:back_up",
        "restore": "backupmx.cli.restore:restore",
        "support-bundle": "backupmx.cli.support:support_bundle",
        "user": "backupmx.cli.user:user",
        "token": "backupmx.cli.token:token",
        "completion": "backupmx.cli.completion:completion",
    }

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; the named errors are told in clear lines."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            say(*error.problems)
            ctx.exit(EXIT_CONFIGURATION)
        except BackupMXError as error:
            say(str(error))
            ctx.exit(EXIT_PROBLEM)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@config_option
def root() -> None:
    """Takes the mail while the primary is down, holds it safely, gives it back."""


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal of a smaller alphabet gets \\u escapes, not a traceback
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    root(prog_name=PROGRAM)
