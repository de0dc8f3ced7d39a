"""What is wrong with a configuration, in words: key, value, and what is allowed.

Knows: pydantic's findings, and TOML's spelling of keys and values.
Does not know: which keys there are; it asks the model.
"""

import difflib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from backupmx.core import notation
from backupmx.core.amendment import Fault

SIZE = 'must be a size with a unit, like "50 MiB"'
_WORDS = {
    "byte_size": SIZE,
    "byte_size_unit": SIZE,
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": 'must be text in "quotes"',
    "path_type": 'must be text in "quotes"',
    "tuple_type": "must be a [list]",
    "model_type": "must be a [table]",
    "dict_type": "must be a [table]",
    "too_short": "at least one is needed",
}
_OF_A_DOMAIN = re.compile(
    r'domain\.(?P<name>"(?:[^"\\]|\\.)*")\.(?P<key>[a-z_]+(?:\.[a-z_]+)*)(?:\[\d+\])*(?P<rest>(?: = |: ).*)', re.DOTALL
)


def told(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """One line for each finding."""
    for found in error.errors(include_url=False):
        value = found["input"]
        if found["type"] == "too_short" and value:
            continue  # there were some, and each of them is told
        # a default that clashes with a given value does not stand in the file
        silent = value is None or isinstance(value, timedelta) or _is_secret(found, model)
        given = "" if silent else f" = {shown(value)}"
        yield f"{_key(found['loc'])}{given}: {_allowed(found, model)}"


def fault(problem: str, path: Path, domain: str) -> Fault:
    """Which key of a domain a line of a file's problems is about, and what it says of it."""
    line = problem.removeprefix(f"{path}: ")
    found = _OF_A_DOMAIN.fullmatch(line)
    if not found or _normal(json.loads(found["name"])) != domain:
        return Fault("", line)
    said = found["rest"]
    if said.startswith(" = "):
        # whoever typed the value has it before them; one that is cut short is left there
        with suppress(ValueError):
            said = said[json.JSONDecoder().raw_decode(said, 3)[1] :]
    return Fault(found["key"], said.lstrip(" :="))


def _normal(name: str) -> str:
    try:
        return notation.domain(name)
    except ValueError:
        return name


def shown(value: object) -> str:
    """A value nearly as TOML has it, short and free of control characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 200 else text[:197] + "..."


def _key(location: tuple[int | str, ...]) -> str:
    words = ""
    for part in location:
        if isinstance(part, int):
            words += f"[{part}]"
        elif words == "domain" or not part.replace("_", "a").replace("-", "a").isalnum() or not part.isascii():
            words += f".{json.dumps(part)}" if words else json.dumps(part)
        else:
            words += f".{part}" if words else part
    return words


def _allowed(found: Any, model: type[BaseModel]) -> str:
    context, kind = found.get("ctx", {}), found["type"]
    if kind == "extra_forbidden":
        return "unknown key" + _meant(found["loc"], model)
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return "must be " + str(context["expected"]).replace("'", '"')
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"must be at least {context['ge']}" if "ge" in context else f"must be at most {context['le']}"
    return _WORDS.get(kind, str(found["msg"]))


def _is_secret(found: Any, model: type[BaseModel]) -> bool:
    """Whether a value is one of those that the model does not show (`repr=False`), or could be one with its key misspelt."""
    if found["type"] == "extra_forbidden" and isinstance(found["input"], dict):
        return True
    for part in found["loc"]:
        field = next((field for name, field in model.model_fields.items() if (field.alias or name) == part), None)
        if field is None or not field.repr:
            break
        around = (field.annotation, *get_args(field.annotation))
        model = next((inner for inner in around if isinstance(inner, type) and issubclass(inner, BaseModel)), BaseModel)
    return any(not field.repr for field in model.model_fields.values())


def _meant(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """Which keys there are; the likeliest alone, if one is much like this."""
    for part in location[:-1]:
        known = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        annotation: Any = known.get(str(part), model)
        # in a mapping of tables, the next part of the location is a name, which leads to the same model
        model = next(
            (inner for inner in get_args(annotation) if isinstance(inner, type) and issubclass(inner, BaseModel)), annotation
        )
    names = [field.alias or name for name, field in model.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), names, 1)
    return f"; is {close[0]} meant?" if close else f"; known here are {', '.join(names)}"
