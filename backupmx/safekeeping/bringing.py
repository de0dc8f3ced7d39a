"""A whole instance, brought back from a backup: all of it or nothing.

Knows: what must be right before anything is put in place, where each file goes.
Does not know: how it is put in place so that a crash leaves the old or the new (`spool`), who is asked.
"""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path

from backupmx import config, durable
from backupmx.alone import alone
from backupmx.config import Settings
from backupmx.core.label import BackupLabel, Origin
from backupmx.errors import BackupUnusable, ConfigurationError
from backupmx.owner import as_owner
from backupmx.safekeeping import sealing
from backupmx.spool import aside, backup, exchange, layout
from backupmx.spool.aside import Placement
from backupmx.spool.backup import Incoming, Own
from backupmx.spool.exchange import Restoration

USER = "backupmx"
"""Who serves, where a package made a user for it."""
MODE = 0o750
"""What may be left of a file's mode: nobody else needs to write, or to read what holds secrets."""
AT_LEAST = 0o600
"""Whoever serves has to read it, and what the page changes also to write it."""
NO_CONFIGURATION = "has no configuration in it: `backupmx spool restore` takes it"
SEALED = "is sealed: the key that opens it is needed"
CLAIMED = "is not put in place: somebody has just set this machine up"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backup would make of this machine."""

    path: Path
    """Of the configuration file."""
    label: BackupLabel
    origin: Origin
    settings: Settings
    own: dict[str, Own]
    configured: bool
    """Whether there is a configuration now."""

    @property
    def spool(self) -> Path:
        """Where it will be, and is now if this machine is configured."""
        return self.settings.spool

    @property
    def placements(self) -> list[Placement]:
        """The configuration comes last: with it the machine is what the backup was."""
        directory = self.path.parent
        first, *others = self.origin.files
        places = [*((name, directory / name) for name in others), (first, self.path)]
        return [Placement(name, str(place), self.own[name].mode & MODE | AT_LEAST) for name, place in places]

    @property
    def missing(self) -> list[str]:
        """Files that the configuration names, that were not ours, and that are not here."""
        return [file for file in self.origin.left_out if not Path(file).exists()]

    @property
    def brought(self) -> dict[Path, bytes]:
        """What will be where."""
        return {Path(each.place): self.own[each.name].octets for each in self.placements}

    def served(self) -> Settings:
        """As whoever serves will read it. Raises ConfigurationError."""
        return config.read(self.own[self.origin.files[0]].octets, self.path, brought=self.brought)

    def check_places(self) -> None:
        """Raises ConfigurationError for what could not be written."""
        problems = []
        for each in self.placements:
            # root puts it there with no more rights than whoever has the directory (`spool.aside`)
            with as_owner(Path(each.place).parent):
                place = Path(os.path.realpath(each.place))
                there = next(directory for directory in place.parents if directory.exists())
                if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
                    problems.append(f"{place}: this user may not write there")
                if place.is_dir():
                    problems.append(f"{place}: is a directory, and has to be a file")
        if problems:
            raise ConfigurationError(tuple(problems))

    def put_aside(self, restoration: Restoration) -> None:
        """What is not of the spool goes along with it."""
        restoration.place({name: file.octets for name, file in self.own.items()}, self.placements)

    def put_in_place(self, restoration: Restoration, now: datetime) -> Path | None:
        """All of it, whatever crash comes; returns where what was here before is kept.

        Raises BackupUnusable when somebody set the machine up since the plan was made, SpoolLocked, OSError.
        """
        self.put_aside(restoration)
        pointer = _pointer(self.path)
        aside.make_directory(self.path.parent)
        with alone(self.path.parent):
            if not self.configured and os.path.lexists(self.path):
                raise BackupUnusable(CLAIMED)
            if not self.configured:
                durable.replace(pointer, str(self.spool).encode())
            kept = restoration.put_in_place(now)
            pointer.unlink(missing_ok=True)
            return kept


@contextmanager
def opened(stream: BufferedReader, identity: str | None) -> Iterator[Incoming]:
    """A backup, sealed or not. Raises BackupUnusable, ValueError for what is no identity."""
    if not sealing.is_sealed(stream):
        with backup.incoming(stream) as incoming:
            yield incoming
        return
    if not identity:
        raise BackupUnusable(SEALED)
    with sealing.opening(stream, sealing.identities(identity)) as plain, backup.incoming(plain) as incoming:
        yield incoming


def plan(incoming: Incoming, path: Path) -> Plan:
    """For this configuration file. Raises BackupUnusable, ConfigurationError."""
    label = incoming.label
    if label is None or label.origin is None:
        raise BackupUnusable(NO_CONFIGURATION)
    origin = label.origin
    if label.layout > layout.VERSION:
        raise BackupUnusable(f"its layout is {label.layout}, and this program knows {layout.VERSION}: a newer one wrote it")
    if origin.directory != str(path.parent):
        # the paths in it say so too
        place = Path(origin.directory) / origin.files[0]
        raise BackupUnusable(f"its configuration was in {origin.directory}, and has to be there again: --config {place}")
    settings = config.read(incoming.own[origin.files[0]].octets, path, serving=False)
    configured = os.path.lexists(path)
    if configured and (now := config.spool_of(path)) != settings.spool:
        said = f'set spool = "{settings.spool}" in {path} first'
        raise BackupUnusable(f"its spool was in {settings.spool}, and this machine's is in {now}: {said}")
    return Plan(path, label, origin, settings, incoming.own, configured)


def home(path: Path) -> Path:
    """The directory whose owner serves with this configuration: the spool, or before there is one that of the configuration."""
    try:
        spool = config.spool_of(path)
    except ConfigurationError:
        return path.parent
    return spool if spool.is_dir() else path.parent


def used(spool: Path) -> bool:
    """Whether mail has been there, which a backup with mail would take the place of."""
    return not exchange.empty(spool)


@contextmanager
def restoring(plan: Plan) -> Iterator[Restoration]:
    """Raises SpoolLocked while a server runs."""
    plan.check_places()
    if not plan.spool.exists():
        layout.make_directory(plan.spool)
        _give_to_who_serves(plan.spool, plan.path.parent)
    with _given_to_owner(plan.spool), exchange.restoring(plan.spool) as restoration:
        yield restoration


def _give_to_who_serves(spool: Path, directory: Path) -> None:
    """A directory that root makes, for a server that runs as another user."""
    if os.geteuid() != 0:
        return
    try:
        owner = pwd.getpwnam(USER)
        os.chown(spool, owner.pw_uid, owner.pw_gid)
    except KeyError:
        if directory.exists():
            found = directory.stat()
            os.chown(spool, found.st_uid, found.st_gid)


@contextmanager
def _given_to_owner(spool: Path) -> Iterator[None]:
    """Root has its own rights where the configuration's directory is root's: what it makes in the spool is given away at last."""
    try:
        yield
    finally:
        owner = spool.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            # by descriptors, so that nobody's links are followed
            for _, directories, files, fd in os.fwalk(spool):
                for name in (*directories, *files):
                    if os.stat(name, dir_fd=fd, follow_symlinks=False).st_uid == 0:
                        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=fd, follow_symlinks=False)
            os.sync()


def finish(path: Path) -> bool:
    """Finish what a crash interrupted, for the configuration in this file, also where there is none yet; whether there was any.

    Raises SpoolLocked, SpoolUnusable.
    """
    pointer = _pointer(path)
    there = pointer.exists() and not os.path.lexists(path)
    spool = Path(pointer.read_text()) if there else config.spool_of(path)
    if not exchange.decided(spool):
        return False
    fd = layout.lock(spool)
    try:
        with alone(path.parent) if path.parent.is_dir() else nullcontext(), _given_to_owner(spool):
            exchange.settle(spool)
        pointer.unlink(missing_ok=True)
    except OSError as error:
        what = f"{error.filename or spool}: {error.strerror}"
        raise BackupUnusable(f"{what}: a backup that was to be restored is not in place") from None
    finally:
        os.close(fd)
    return True


def _pointer(path: Path) -> Path:
    """Says where the spool will be, as long as the configuration that is to say so is not here."""
    return path.with_name(f".{path.name}.spool")
