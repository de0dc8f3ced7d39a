"""The languages in which senders are written to: one file each, beside this one.

Knows: which there are, and where their words stand.
Does not know: what is said when.
"""

from functools import cache
from importlib.resources import files

import msgspec

from backupmx.core.notice_text import Words

FIRST = "en"
"""Where nobody says which."""


@cache
def known() -> tuple[str, ...]:
    """Their names, in order: `en`, `sv`, and whatever file is added."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in files(__name__).iterdir() if file.name.endswith(".toml")))


@cache
def words(language: str) -> Words:
    """What is said in one of them."""
    return msgspec.toml.decode((files(__name__) / f"{language}.toml").read_bytes(), type=Words)
