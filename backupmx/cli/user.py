"""`backupmx user`: who may sign in to the page. Works on the file, with or without a running server."""

import sys
from typing import TYPE_CHECKING

import rich_click as click
from msgspec.structs import replace

from backupmx.cli.options import config_option, json_option, settings
from backupmx.cli.terminal import Column, say, show_json, show_table

if TYPE_CHECKING:
    from backupmx.control.accounts import Accounts

ROLES = ("viewer", "operator", "admin")


def accounts() -> "Accounts":
    """The accounts beside the mail."""
    from backupmx.control.accounts import Accounts  # noqa: PLC0415

    return Accounts(settings().spool / "accounts.json")


@click.group()
@config_option
def user() -> None:
    """See and change who may sign in to the page."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@config_option
def add(name: str, role: str, password_stdin: bool) -> None:
    """Add a user; one who exists gets the new role and password, and keeps the second factor."""
    from backupmx.control.accounts import Role  # noqa: PLC0415
    from backupmx.control.passwords import SHORTEST  # noqa: PLC0415

    settings()  # what is wrong there is told before anything is asked
    password = _password(password_stdin)
    if len(password) < SHORTEST:
        say(f"a password has at least {SHORTEST} characters")
        sys.exit(1)
    try:
        new = accounts().set_user(name, Role(role), password)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    say(f"user {name}: {'added' if new else 'changed'}, {role}")


@user.command("list")
@json_option
@config_option
def list_users(as_json: bool) -> None:
    """List users, their roles, and who is asked for a code after the password."""
    users = accounts().users()
    if as_json:
        for found in users:
            show_json({"name": found.name, "role": found.role, "second_factor": found.second is not None})
        return
    columns = (Column("NAME"), Column("ROLE"), Column("SECOND FACTOR"))
    show_table(columns, ((found.name, found.role.value, "yes" if found.second else "no") for found in users))
    if not users:
        say("no user yet: backupmx user add NAME --role admin")


@user.command("remove")
@click.argument("name")
@config_option
def remove(name: str) -> None:
    """Remove a user."""
    removed = accounts().remove_user(name)
    if not removed:
        say(f"no user {name}")
        sys.exit(1)
    say(f"user {name}: removed")


@user.command("totp-off")
@click.argument("name")
@config_option
def totp_off(name: str) -> None:
    """Ask a user for no code any more: for who has lost the phone and the recovery codes."""
    problem = accounts().change_user(name, lambda user: replace(user, second=None))
    if problem:
        say(f"no user {name}")
        sys.exit(1)
    say(f"user {name}: the password alone is enough from now on")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer
