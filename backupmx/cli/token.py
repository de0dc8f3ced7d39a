"""`backupmx token`: keys to the HTTP API and the metrics. Works on the file, with or without a running server."""

import sys
from datetime import UTC, datetime

import rich_click as click

from backupmx.cli.options import config_option, json_option
from backupmx.cli.terminal import Column, say, show, show_json, show_table
from backupmx.cli.user import accounts

SCOPES = ("read", "act", "recipients")


@click.group()
@config_option
def token() -> None:
    """See and change which tokens open the API."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default="read",
    show_default=True,
    help="What it opens, and nothing else; `act` may also read.",
)
@config_option
def create(name: str, scope: str) -> None:
    """Make a token, and print it once."""
    from backupmx.control.accounts import Scope  # noqa: PLC0415

    try:
        made = accounts().create_token(name, datetime.now(UTC), Scope(scope))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    if made is None:
        say(f"there is a token {name} already")
        sys.exit(1)
    show(made)
    say("this token is not shown again; use it as: Authorization: Bearer TOKEN")


@token.command("list")
@json_option
@config_option
def list_tokens(as_json: bool) -> None:
    """List tokens by name; the tokens themselves are not kept."""
    tokens = accounts().tokens()
    if as_json:
        for found in tokens:
            show_json({"name": found.name, "created": found.created, "scope": found.scope})
        return
    columns = (Column("NAME"), Column("CREATED"), Column("SCOPE"))
    show_table(columns, ((found.name, f"{found.created:%Y-%m-%d %H:%M UTC}", found.scope.value) for found in tokens))
    if not tokens:
        say("no token yet: backupmx token create NAME")


@token.command("revoke")
@click.argument("name")
@config_option
def revoke(name: str) -> None:
    """Make a token useless."""
    revoked = accounts().revoke_token(name)
    if not revoked:
        say(f"no token {name}")
        sys.exit(1)
    say(f"token {name}: revoked")
