"""A group whose commands are imported when they are used: `backupmx status` need not wait for the rest."""

from importlib import import_module

import rich_click as click


class LazyGroup(click.RichGroup):
    """Knows the place of each command, as `module:name`."""

    places: dict[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return a command, or None when there is none of this name."""
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command
