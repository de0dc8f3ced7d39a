"""Which files make up a configuration: the file itself, and what it names.

Knows: that what is in the configuration's directory is ours, and what is elsewhere belongs to whoever put it there.
Does not know: what the files are for.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from backupmx.config import Settings
from backupmx.errors import ConfigurationError
from backupmx.spool.backup import Own

PLACES = {"spool", "socket"}
"""Keys with a path that names no file of the configuration."""
LISTS = {"recipient_list"}
"""Keys with a path that are text."""


@dataclass(frozen=True, slots=True)
class Belongings:
    """What is ours, by its names in the configuration's directory, the configuration first; and what is not."""

    own: dict[str, Path]
    foreign: tuple[Path, ...]

    def read(self) -> dict[str, Own]:
        """All that is ours. Raises ConfigurationError for what cannot be read."""
        problems, found = [], {}
        for name, path in self.own.items():
            try:
                found[name] = Own(path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
            except OSError as error:
                problems.append(f"{path}: cannot be read: {error.strerror}")
        if problems:
            raise ConfigurationError(tuple(problems))
        return found


def belongings(settings: Settings, path: Path) -> Belongings:
    """Of the configuration in this file."""
    own, foreign = {path.name: path}, []
    for file in sorted(set(_named(settings))):
        # what a name with dots or a link leads to elsewhere is somebody else's
        inside = Path(os.path.normpath(file)).is_relative_to(path.parent)
        resolved = Path(os.path.realpath(file)).is_relative_to(os.path.realpath(path.parent))
        if inside and resolved and os.fsencode(file).isascii():
            own[str(Path(os.path.normpath(file)).relative_to(path.parent))] = file
        else:
            foreign.append(file)
    return Belongings(own, tuple(foreign))


def _named(model: BaseModel) -> Iterator[Path]:
    for key, value in model:
        tables = value.values() if isinstance(value, dict) else [value]
        for each in tables:
            if isinstance(each, BaseModel):
                yield from _named(each)
            elif isinstance(each, Path) and key not in PLACES:
                yield each
            elif key in LISTS and isinstance(each, str) and each:
                yield Path(each)
