"""Compiles what lies under /opt/backupmx for the machine's Python, or removes what was compiled. `bytecode.py make|remove`.

Knows: that the disk may be full and the power cut at any moment.
Does not know: who calls it when (the maintainer scripts).

Compiled files are never compared with their source (`unchecked-hash`), for that takes long on an SD card. So none may be there
that is not whole, or is of an earlier version.
"""

import importlib.util
import marshal
import os
import py_compile
import shutil
import sys
from pathlib import Path

MODULES = Path(__file__).parent / "modules"
HEADER = 16
"""Octets before the code (PEP 552)."""


def make() -> None:
    """All or, on a full disk, nothing: Python then compiles anew at each start, and is slower."""
    drafts: dict[Path, Path] = {}
    try:
        for source in sorted(MODULES.rglob("*.py")):
            draft = Path(importlib.util.cache_from_source(str(source)) + ".draft")
            drafts[draft] = draft.with_suffix("")
            _compile(source, draft)
        # before anything has its name
        os.sync()
        for draft, name in drafts.items():
            if draft.exists():
                draft.replace(name)
    except (OSError, EOFError, ValueError) as error:
        remove()
        print(f"backupmx: nothing is compiled, it starts more slowly: {error}", file=sys.stderr)


def _compile(source: Path, draft: Path) -> None:
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    try:
        py_compile.compile(str(source), str(draft), doraise=True, invalidation_mode=mode)
    except py_compile.PyCompileError:
        # for another Python; not a reason to stop
        return
    # what was written when the disk became full may be a part
    marshal.loads(draft.read_bytes()[HEADER:])  # noqa: S302 - we wrote it just now


def remove() -> None:
    """Everything that was compiled, by whomever."""
    for place in list(MODULES.rglob("__pycache__")):
        shutil.rmtree(place)


if __name__ == "__main__":
    remove()
    if sys.argv[1] == "make":
        make()
