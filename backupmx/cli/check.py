"""`backupmx check`: the configuration; with `--network` all that mail depends on; with `--nagios` a line for monitoring."""

import sys
from typing import TYPE_CHECKING

import rich_click as click

from backupmx.cli.options import config_option, config_path, json_option
from backupmx.cli.terminal import say, show

if TYPE_CHECKING:
    from backupmx.config import Settings


@click.command()
@click.option(
    "--network",
    is_flag=True,
    help="Look at DNS, ports, certificate, clock, disk, primaries and recipients, and tell how to mend what is wrong (exit 1).",
)
@click.option(
    "--nagios",
    is_flag=True,
    help="One line on how the running server is, and exit 0 to 3; with --network also on what it found when it last looked.",
)
@json_option
@config_option
def check(network: bool, nagios: bool, as_json: bool) -> None:
    """Check the configuration: tell all that is wrong (exit 78), or what is configured."""
    if as_json and (nagios or not network):
        raise click.UsageError("--json goes with --network alone")
    if nagios:
        from backupmx.cli import nagios as line  # noqa: PLC0415

        sys.exit(line.tell(network=network))
    from backupmx import config  # noqa: PLC0415

    path = config_path()
    settings = config.load(path)
    if not network:
        show(f"{path}: no problems")
        _show(settings)
        return
    from backupmx.cli import network as lookout  # noqa: PLC0415

    say(f"{path}: no problems")
    sys.exit(lookout.tell(settings, as_json=as_json))


def _show(settings: "Settings") -> None:
    from backupmx.core import notation, words  # noqa: PLC0415
    from backupmx.core.destination import shown  # noqa: PLC0415

    show(f"hostname: {settings.hostname}")
    show(f"listens: {', '.join(map(str, settings.smtp.listen))}")
    show(f"certificate: {settings.smtp.tls_certificate or 'self-signed, made at the first start'}")
    show(f"spool: {settings.spool}, keeping {words.size(settings.reserve)} of the disk free")
    show(f"page: http://{settings.web.listen}/")
    show(f"control socket: {settings.control.socket}")
    urls = settings.alerts.everybody()
    show(f"alerts: {', '.join(map(shown, urls)) or 'nobody is told: [alerts] urls is empty'}")
    for url in urls:
        if why := settings.led_astray(url):
            say(f"alerts: {shown(url)}: {why}")
    for name, domain in settings.domains.items():
        primary = ", ".join(map(str, domain.primary)) or "by its MX records"
        show(f"{name}: primary {primary}; holding window {notation.spell_duration(domain.holding_window)}")
