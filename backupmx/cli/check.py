"""`backupmx check`."""

import rich_click as click

from backupmx.cli.options import config_option, config_path
from backupmx.cli.terminal import show


@click.command()
@click.option("--network", is_flag=True, help="Also DNS, ports, TLS and clock: comes with a later version.")
@config_option
def check(network: bool) -> None:
    """Check the configuration: tell all that is wrong (exit 78), or what is configured."""
    from backupmx import config  # noqa: PLC0415
    from backupmx.core import notation, words  # noqa: PLC0415

    if network:
        raise click.UsageError("--network comes with a later version; nothing was checked")
    path = config_path()
    settings = config.load(path)
    show(f"{path}: no problems")
    show(f"hostname: {settings.hostname}")
    show(f"listens: {', '.join(map(str, settings.smtp.listen))}")
    show(f"certificate: {settings.smtp.tls_certificate or 'self-signed, made at the first start'}")
    show(f"spool: {settings.spool}, keeping {words.size(settings.reserve)} of the disk free")
    show(f"page: http://{settings.web.listen}/")
    show(f"control socket: {settings.control.socket}")
    for name, domain in settings.domains.items():
        primary = ", ".join(map(str, domain.primary)) or "by its MX records"
        show(f"{name}: primary {primary}; holding window {notation.spell_duration(domain.holding_window)}")
