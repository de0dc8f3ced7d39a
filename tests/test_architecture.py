"""The house's table of who may know whom (design, section 4), held to by the imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE = {"backupmx.core", "backupmx.errors"}
TYPES = PURE | {"backupmx.ports", "backupmx.config"}

# room: the rooms of ours it may import, then the third-party packages with I/O or weight that it may import
MAY_IMPORT: dict[str, tuple[set[str], set[str]]] = {
    "backupmx.core": ({"backupmx.core"}, {"msgspec", "idna"}),
    "backupmx.errors": (set(), set()),
    "backupmx.ports": (PURE, set()),
    "backupmx.languages": ({"backupmx.core"}, {"msgspec"}),
    "backupmx.config": (PURE | {"backupmx.problems", "backupmx.values"}, {"pydantic"}),
    "backupmx.values": (PURE | {"backupmx.problems", "backupmx.languages"}, {"pydantic"}),
    "backupmx.problems": (PURE, {"pydantic"}),
    "backupmx.draft": (PURE, {"tomlkit"}),
    "backupmx.revision": (PURE | {f"backupmx.{each}" for each in ("config", "draft", "durable", "alone")}, set()),
    "backupmx.reserved": (PURE | {"backupmx.config"}, {"pydantic"}),
    "backupmx.amendments": (
        PURE | {f"backupmx.{each}" for each in ("config", "draft", "revision", "problems", "languages", "reserved")},
        {"pydantic"},
    ),
    "backupmx.edge": (
        TYPES | {"backupmx.edge", "backupmx.admission", "backupmx.durable", "backupmx.watch"},
        {"aiosmtpd", "cryptography"},
    ),
    "backupmx.admission": (TYPES | {"backupmx.admission", "backupmx.recipients"}, {"spf", "dkim", "dns", "cachetools"}),
    "backupmx.recipients": (
        TYPES | {"backupmx.recipients", "backupmx.courier.client", "backupmx.watch"},
        {"ldap3", "msgspec"},
    ),
    "backupmx.spool": (
        PURE | {f"backupmx.{each}" for each in ("ports", "spool", "durable", "owner")},
        {"lmdb", "msgspec", "xxhash"},
    ),
    "backupmx.courier": (
        TYPES | {"backupmx.courier", "backupmx.languages", "backupmx.watch"},
        {"aiosmtplib", "dns", "apscheduler", "cryptography", "msgspec"},
    ),
    "backupmx.checks": (
        TYPES
        | {"backupmx.checks", "backupmx.watch"}
        | {f"backupmx.courier.{each}" for each in ("client", "commands", "greeting", "resolver", "routes", "sts", "transaction")}
        # what SPF says of our own name is asked as for any sender
        | {"backupmx.admission.spf", "backupmx.admission.records"},
        {"dns", "cryptography", "msgspec"},
    ),
    "backupmx.watch": (PURE | {"backupmx.watch"}, {"structlog", "prometheus_client"}),
    "backupmx.alerts": (TYPES | {"backupmx.alerts", "backupmx.durable", "backupmx.watch"}, {"msgspec", "apprise"}),
    "backupmx.control": (
        TYPES | {f"backupmx.{each}" for each in ("control", "watch", "durable", "owner")},
        {"msgspec", "argon2", "pyotp", "prometheus_client"},
    ),
    "backupmx.setup": (
        TYPES
        | {f"backupmx.{each}" for each in ("setup", "control", "checks", "watch", "supervisor", "durable", "owner", "alone")}
        | {"backupmx.courier.client", "backupmx.courier.routes"},
        {"tomlkit"},
    ),
    "backupmx.safekeeping": (
        TYPES
        | {f"backupmx.{each}" for each in ("safekeeping", "spool", "control.accounts", "reserved", "durable", "alone", "owner")},
        {"pydantic", "pyrage", "msgspec"},
    ),
    "backupmx.owner": (set(), set()),
    "backupmx.durable": (set(), set()),
    "backupmx.alone": (set(), set()),
    "backupmx.listeners": (TYPES | {"backupmx.inherited"}, set()),
    "backupmx.rehearsal": (TYPES | {f"backupmx.{each}" for each in ("listeners", "inherited", "edge.certificate")}, set()),
    "backupmx.support": (PURE | {"backupmx.support"}, set()),
    "backupmx.cli": (
        TYPES | {f"backupmx.{each}" for each in ("control", "cli", "durable", "owner", "alone")},
        {"rich_click", "click", "rich", "msgspec"},
    ),
    "backupmx.demo": (
        PURE | {"backupmx.control.client", "backupmx.control.requests", "backupmx.control.answers", "backupmx.demo"},
        {"aiosmtpd", "rich", "msgspec"},
    ),
    "webui": (
        {"backupmx.core", "backupmx.errors", "backupmx.control", "backupmx.inherited", "webui"},
        {
            "flask",
            "flask_babel",
            "babel",
            "pyotp",
            "segno",
            "flask_login",
            "flask_wtf",
            "flask_limiter",
            "wtforms",
            "gunicorn",
            "argon2",
            "msgspec",
            "werkzeug",
            "markupsafe",
            "jinja2",
        },
    ),
}
# the command line starts what the composition root composes, and nothing more of it
STARTERS = {
    "backupmx/cli/serve.py": {"backupmx.app"},
    "backupmx/cli/web.py": {"webui"},
    "backupmx/cli/demo.py": {"backupmx.demo"},
    "backupmx/cli/spool.py": {"backupmx.app"},
    "backupmx/cli/backup.py": {"backupmx.safekeeping"},
    "backupmx/cli/restore.py": {"backupmx.safekeeping", "backupmx.spool", "backupmx.rehearsal"},
    "backupmx/cli/support.py": {"backupmx.support"},
    "backupmx/cli/network.py": {"backupmx.checks"},
    "backupmx/cli/init.py": {"backupmx.setup.configuration"},
    "backupmx/cli/setup.py": {"backupmx.setup", "backupmx.safekeeping"},
    "backupmx/cli/amend.py": {"backupmx.amendments", "backupmx.app", "backupmx.draft", "backupmx.revision"},
    "backupmx/cli/roster.py": {"backupmx.recipients.ldap"},
}


def imports(path: Path) -> set[str]:
    """Dotted names of all that a file imports, wherever in the file it stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files() -> list[tuple[str, Path]]:
    """Each source file with its room."""
    found = []
    for room in MAY_IMPORT:
        place = ROOT / room.replace(".", "/")
        paths = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
        found += [(room, path) for path in sorted(paths)]
    return found


def within(name: str, rooms: set[str]) -> bool:
    """Whether a dotted name is one of these rooms or inside of one."""
    return any(name == room or name.startswith(room + ".") for room in rooms)


STDLIB = __import__("sys").stdlib_module_names
ASKS_THE_WORLD = {"socket", "os", "asyncio", "random", "secrets", "time", "threading", "subprocess", "logging", "pathlib"}


@pytest.mark.parametrize(
    ("room", "path"), files(), ids=lambda value: str(value.relative_to(ROOT)) if isinstance(value, Path) else value
)
def test_a_room_imports_only_what_the_table_allows(room: str, path: Path) -> None:
    """Each room knows what the design lets it know."""
    ours, packages = MAY_IMPORT[room]
    ours = ours | STARTERS.get(str(path.relative_to(ROOT)), set())
    for name in imports(path):
        top = name.partition(".")[0]
        if top in ("backupmx", "webui"):
            assert within(name, ours) or name == "backupmx.__version__", f"{path}: {room} must not know {name}"
        elif top not in STDLIB:
            assert top in packages, f"{path}: {room} must not know the package {top}"
        elif room == "backupmx.core":
            assert top not in ASKS_THE_WORLD, f"{path}: the pure part asks {top}"


def test_each_room_says_what_it_knows_and_does_not_know() -> None:
    """A room's docstring tells its job and its limits."""
    for room, path in files():
        if path.name == "__init__.py" or not (ROOT / room.replace(".", "/")).is_dir():
            doc = ast.get_docstring(ast.parse(path.read_text())) or ""
            if room != "backupmx.cli" or path.name == "__init__.py":
                assert ("Knows:" in doc and "Does not know:" in doc) or path == ROOT / "backupmx/__init__.py", path
