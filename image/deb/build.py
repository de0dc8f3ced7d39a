"""Builds the Debian package. `python image/deb/build.py [--arch amd64|arm64]… [--out DIRECTORY]`.

Knows: what lies where in the package, what of the environment a server never uses, how two builds become equal.
Does not know: what is in the lock beyond its form, what the maintainer scripts do.

One tree of modules serves the Pythons of both Debian releases: extension modules carry the name of their Python, and everything
else must be the same for both.
"""
# ruff: noqa: S603, S607 - programs that make packages, with arguments of ours

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent
TOOLS = Path(sys.executable).parent
sys.path[:0] = [str(SOURCE), str(HERE.parent)]

import manual  # noqa: E402 - our neighbour
from packaging.requirements import Requirement  # noqa: E402

from backupmx import __version__  # noqa: E402
from backupmx.config import DEFAULT_PATH  # noqa: E402

PYTHONS = ("3.11", "3.13")
"""Those of Debian 12 and 13."""
MACHINES = {"amd64": "x86_64-manylinux_2_36", "arm64": "aarch64-manylinux_2_36"}
"""What wheels may demand of a machine: no more than the C library of Debian 12."""
FROM_SOURCE = ("dkimpy", "pyspf")
"""Have no wheels; are Python only, so that they can be built here for any machine."""
HOME = Path("opt/backupmx")
DOC = Path("usr/share/doc/backupmx")
UNUSED = re.compile(
    r"(^|/)(tests?|testing|__pycache__|sboms|\.git[^/]*)(/|$)"
    r"|^bin/"
    r"|\.(c|cpp|h|pxd|pyi|pyx)$"
    # they tell of one wheel on one machine, and would lie about the tree that is made of several
    r"|\.dist-info/(RECORD|WHEEL|INSTALLER|REQUESTED|direct_url\.json)$"
)
"""What never runs on a server, in the tree as pip would install it."""
LOCALE = re.compile(r"^babel/locale-data/(?P<name>[^/]+)\.dat$")


def main() -> None:
    """Build for each machine that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", action="append", choices=sorted(MACHINES))
    parser.add_argument("--out", type=Path, default=SOURCE / "dist")
    parser.add_argument("--version", default=version(), help="for tests of an upgrade")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="backupmx-deb-") as name:
        work = Path(name)
        wheel = our_wheel(work / "wheel")
        for arch in asked.arch or sorted(MACHINES):
            root = work / arch / "root"
            place_environment(root / HOME, arch, wheel, work / arch)
            place_documents(root, asked.version)
            place_units(root)
            settle(root)
            made = asked.out / f"backupmx_{asked.version}_{arch}.deb"
            pack(root, arch, asked.version, made)
            # who looks for the package finds one
            for old in asked.out.glob(f"backupmx_*_{arch}.deb"):
                if old != made:
                    old.unlink()
            print(made)


def version() -> str:
    """The program's; of a commit that is not a release: older than that release, and the newer commit is the newer package."""
    if _git("tag", "--points-at", "HEAD", "--list", f"v{__version__}"):
        return __version__
    return f"{__version__}~git{datetime.fromtimestamp(_epoch(), UTC):%Y%m%d%H%M%S}.{_git('rev-parse', '--short=8', 'HEAD')}"


def _epoch() -> int:
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", SOURCE, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def our_wheel(place: Path) -> Path:
    """The project's own, as users of pip get it."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, SOURCE]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(place.glob("*.whl"))


def place_environment(home: Path, arch: str, wheel: Path, work: Path) -> None:
    """What a venv has: Python is Debian's, the modules are ours."""
    modules = home / "lib" / "modules"
    requirements = work / "requirements.txt"
    work.mkdir(parents=True, exist_ok=True)
    requirements.write_text("".join(pinned()))
    for python in PYTHONS:
        merge(installed(requirements, python, arch, work / python), modules)
        (home / "lib" / f"python{python}").mkdir()
        (home / "lib" / f"python{python}" / "site-packages").symlink_to("../modules")
    with zipfile.ZipFile(wheel) as ours:
        ours.extractall(work / "ours")
    merge(work / "ours", modules)
    (home / "bin").mkdir()
    (home / "bin" / "python").symlink_to("/usr/bin/python3")
    shutil.copy(HERE / "launcher", home / "bin" / "backupmx")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    shutil.copy(HERE / "bytecode.py", home / "lib" / "bytecode.py")


def pinned() -> Iterator[str]:
    """The lock's blocks of what a server imports: of all that the project names for running, and what that needs."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    needed = {_normal(Requirement(each).name) for each in named}
    blocks = [each for each in re.split(r"^(?=\S)", (SOURCE / "requirements-dev.lock").read_text(), flags=re.MULTILINE) if each]
    # one version of each for all Pythons: the tree is one
    chosen = {_normal(_requirement(each).name): each for each in blocks if _for_oldest(_requirement(each))}
    wanted_by = {name: set(re.findall(r"^    #(?: via|  ) +(\S+)$", block, re.MULTILINE)) for name, block in chosen.items()}
    while more := {name for name, by in wanted_by.items() if name not in needed and by & needed}:
        needed |= more
    yield from (re.sub(r"^(\S+)[^\\\n]*", r"\1 ", block) for name, block in sorted(chosen.items()) if name in needed)


def _requirement(block: str) -> Requirement:
    return Requirement(block.partition("\n")[0].rstrip("\\ "))


def _for_oldest(requirement: Requirement) -> bool:
    here = {"python_version": PYTHONS[0], "python_full_version": f"{PYTHONS[0]}.2", "implementation_name": "cpython"}
    machine = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
    }
    return requirement.marker is None or requirement.marker.evaluate({**here, **machine})


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(requirements: Path, python: str, arch: str, place: Path) -> Path:
    """As pip would, for a machine that is not this one."""
    command = [TOOLS / "uv", "pip", "install", "--quiet", "--target", place, "--python", sys.executable]
    command += ["--python-version", python, "--python-platform", MACHINES[arch], "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", *(f"--no-binary={name}" for name in FROM_SOURCE), "-r", requirements]
    subprocess.run(command, check=True)
    return place


def merge(found: Path, tree: Path) -> None:
    """Into one tree; what has the same name must be the same."""
    languages = {each.name for each in (SOURCE / "webui" / "translations").iterdir() if each.is_dir()} | {"en", "root"}
    for path in sorted(each for each in found.rglob("*") if each.is_file()):
        name = path.relative_to(found).as_posix()
        locale = LOCALE.match(name)
        if UNUSED.search(name) or (locale and locale["name"].partition("_")[0] not in languages):
            continue
        there = tree / name
        if there.exists() and there.read_bytes() != path.read_bytes():
            raise SystemExit(f"{name}: is not the same for all Pythons")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, there)


def place_documents(root: Path, package_version: str) -> None:
    """Manual pages, completion, an example, and what Debian wants to be told."""
    man, doc, example = root / "usr/share/man/man1", root / DOC, root / DOC / "examples"
    for place in (man, example):
        place.mkdir(parents=True)
    for name, text in manual.pages(manual.root, manual.PROGRAM):
        _compressed(man / f"{name}.1.gz", text)
    for shell, name in COMPLETIONS.items():
        (root / name).parent.mkdir(parents=True)
        command = [sys.executable, "-m", "backupmx", "completion", shell]
        (root / name).write_text(subprocess.run(command, check=True, capture_output=True, text=True, cwd=SOURCE).stdout)
    shutil.copy(HERE / "doc/backupmx.toml", example / DEFAULT_PATH.name)
    _compressed(doc / "README.md.gz", (SOURCE / "README.md").read_text())
    shutil.copy(HERE / "doc/README.Debian", doc)
    shutil.copy(HERE / "doc/copyright", doc)
    (doc / "requirements.txt").write_text("".join(pinned()))
    _compressed(doc / "changelog.gz", changelog(package_version))
    overrides = root / "usr/share/lintian/overrides/backupmx"
    overrides.parent.mkdir(parents=True)
    shutil.copy(HERE / "lintian-overrides", overrides)


COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/backupmx",
    "zsh": "usr/share/zsh/vendor-completions/_backupmx",
    "fish": "usr/share/fish/vendor_completions.d/backupmx.fish",
}


def changelog(package_version: str) -> str:
    """In Debian's form: one entry, for the history is the project's."""
    when = format_datetime(datetime.fromtimestamp(_epoch(), UTC))
    return f"backupmx ({package_version}) stable; urgency=medium\n\n  * As the project has it.\n\n -- {MAINTAINER}  {when}\n"


MAINTAINER = "Backup MX <backupmx@localhost.localdomain>"


def _compressed(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def place_units(root: Path) -> None:
    """What systemd reads, and commands for root."""
    for directory, target in UNITS.items():
        for path in sorted((SOURCE / directory).iterdir()):
            if path.is_file():
                there = root / target / path.name
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, there)
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/backupmx").symlink_to("/opt/backupmx/bin/backupmx")
    (root / "usr/sbin").mkdir()
    shutil.copyfile(HERE / "backupmx-update", root / "usr/sbin/backupmx-update")


UNITS = {
    "image/deb/lib": "usr/lib/backupmx",
    "systemd": "usr/lib/systemd/system",
    "systemd/sysusers.d": "usr/lib/sysusers.d",
    "systemd/tmpfiles.d": "usr/lib/tmpfiles.d",
    "systemd/examples": f"{DOC}/examples",
}


COMMANDS = {Path("opt/backupmx/bin"), Path("usr/lib/backupmx"), Path("usr/sbin")}


def settle(root: Path) -> None:
    """Modes and times that say nothing of this machine."""
    when = _epoch()
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.relative_to(root).parent in COMMANDS else 0o644)
        os.utime(path, (when, when), follow_symlinks=False)


def pack(root: Path, arch: str, package_version: str, made: Path) -> None:
    """One .deb, the same octets whenever and wherever it is made of the same."""
    whole = json.loads((HERE / "nfpm.json").read_text())
    whole |= {"arch": arch, "version": package_version, "maintainer": MAINTAINER}
    whole["contents"] = [{"type": "tree", "src": str(root), "dst": "/"}]
    whole["scripts"] = {kind: str(HERE / name) for kind, name in SCRIPTS.items()}
    configuration = root.parent / "nfpm.json"
    configuration.write_text(json.dumps(whole))
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(_epoch())}
    command = [TOOLS / "nfpm", "package", "--config", configuration, "--packager", "deb", "--target", made]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


SCRIPTS = {"postinstall": "postinst", "preremove": "prerm", "postremove": "postrm"}

if __name__ == "__main__":
    main()
