"""The whole error taxonomy: named trouble that crosses a room's door as an exception.

Knows: the names. Does not know: anything else. Expected trouble inside a room is a value, not an exception.
"""


class BackupMXError(Exception):
    """Everything that we raise on purpose."""


class ConfigurationError(BackupMXError):
    """The configuration cannot be used; `problems` has a line for each fault."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ConfigurationUnchanged(BackupMXError):
    """The configuration file stays as it is: it cannot be written, or not be written in the way that was asked for."""


class AlreadySetUp(BackupMXError):
    """There is a configuration: the machine is somebody's, and not to be set up once more."""


class FileUnwritable(BackupMXError):
    """A file that was asked for cannot be written, or there is one of this name already."""


class SpoolError(BackupMXError):
    """The spool cannot do what was asked."""


class SpoolFull(SpoolError):
    """No room left above the reserve: `452 4.3.1`, while what is held can still be drained."""


class SpoolUnusable(SpoolError):
    """The spool cannot be opened, or its environment is broken and must be opened anew."""


class SpoolLocked(SpoolUnusable):
    """Another instance works on this spool."""


class SpoolTooNew(SpoolUnusable):
    """A newer program wrote this spool's layout."""


class BackupUnusable(SpoolError):
    """What was to be restored is no whole backup."""


class MessageDamaged(SpoolError):
    """A message's content does not match its digest."""


class ControlUnavailable(BackupMXError):
    """The control socket does not answer: serve is not running, or this user may not ask."""


class ControlAbsent(ControlUnavailable):
    """Nobody answers on the control socket: serve is not running, or its processes are just being replaced."""


class ControlTaken(BackupMXError):
    """The control socket cannot be opened: another instance answers on it, or something else is in its place."""


class AccountsUnusable(BackupMXError):
    """The accounts file cannot be read or written."""
