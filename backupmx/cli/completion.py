"""`backupmx completion`: what a shell needs to complete commands, options and domains."""

import rich_click as click
from click.shell_completion import get_completion_class

from backupmx.cli.options import PROGRAM

VARIABLE = f"_{PROGRAM.upper()}_COMPLETE"
"""By which the shell tells the program that it is asked to complete; click looks for this one."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what a shell is to read, so that the Tab key completes commands, options and domains.

    bash: backupmx completion bash > /etc/bash_completion.d/backupmx

    zsh: backupmx completion zsh > "${fpath[1]}/_backupmx"

    fish: backupmx completion fish > ~/.config/fish/completions/backupmx.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
