"""What many commands have in common: the configuration, the server to ask, who asks."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from click import get_current_context

from backupmx.errors import ConfigurationError

if TYPE_CHECKING:
    from backupmx.config import Settings
    from backupmx.control.client import ControlClient

PROGRAM = "backupmx"
_KEY = "backupmx.config"
F = TypeVar("F", bound=Callable[..., Any])


def _remember(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[_KEY] = value


def config_option(command: F) -> F:
    """`--config FILE`, before the command or after it; the later one counts."""
    return click.option(
        "--config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        callback=_remember,
        expose_value=False,
        help="The configuration; else BACKUPMX_CONFIG, else /etc/backupmx/backupmx.toml.",
    )(command)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line.")(command)


def config_path() -> Path:
    """The configuration file that is meant."""
    from backupmx import config  # noqa: PLC0415 - not needed for --help

    return config.locate(get_current_context().meta.get(_KEY)).absolute()


def begun(ctx: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """For the Tab key: the configured domains that begin so; none when there is trouble, for nobody reads of it there."""
    from backupmx import config  # noqa: PLC0415

    try:
        found = config.load(config.locate(ctx.meta.get(_KEY)), serving=False)
    except ConfigurationError:
        return []
    return [name for name in found.domains if name.startswith(typed.lower())]


def settings() -> "Settings":
    """The configuration, as a client of the server needs it; raises ConfigurationError."""
    from backupmx import config  # noqa: PLC0415

    return config.load(config_path(), serving=False)


def server() -> "ControlClient":
    """The running server."""
    from backupmx.control.client import ControlClient  # noqa: PLC0415

    return ControlClient(settings().control.socket)


def asker() -> str:
    """Who is at the terminal, for the log."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    sudo = os.environ.get("SUDO_USER")
    return f"{sudo} as {name}" if sudo else name
