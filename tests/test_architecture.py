"""The rules of the tree, held by reading every module: who may import whom, and what is done in one place only.

A rule that has to give way gets its exception here, with the reason beside it.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sora_gateway"
MODULES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})
MAX_LINES = 400

EVERYTHING = frozenset({"*"})
VALUES = frozenset({"core", "errors", "clock", "entropy"})
"""What a part may always know: values, and the doors that time and chance are handed in through."""

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "errors": frozenset(),
    "clock": frozenset(),
    "entropy": frozenset(),
    "core": frozenset(),
    # The process says everything through it; nothing of ours is known there.
    "logs": frozenset(),
    "places": frozenset({"errors"}),
    "control": frozenset({"errors"}),
    "oidc_settings": frozenset(),
    "metrics_settings": frozenset({"section"}),
    "account_settings": frozenset(),
    # A secret that can be guessed is no valid setting.
    "section": frozenset(),
    "credit_settings": frozenset({"section"}),
    # Which alerts there are is the core's to say, and what a strong secret is.
    "alerts_settings": frozenset({"section", "core.alert_kinds", "core.webhook_signature"}),
    "backup_settings": frozenset({"section"}),
    "retention_settings": frozenset({"section"}),
    "webhook_settings": frozenset({"section"}),
    "settings": frozenset(
        {
            "credit_settings",
            "section",
            "errors",
            "oidc_settings",
            "account_settings",
            "alerts_settings",
            "backup_settings",
            "webhook_settings",
            "metrics_settings",
            "retention_settings",
            "core.webhook_signature",
        }
    ),
    "config_example": frozenset({"settings", "alerts_settings", "credit_settings", "oidc_settings"}),
    "store": VALUES,
    # A download asks the adapter for bytes, and cleans what the upstream wrote before it is logged. A reference image
    # is fetched by the same checked steps as a result.
    "media": VALUES
    | {"upstream.adapter", "upstream.text", "upstream.addresses", "upstream.client", "upstream.hops"},
    "upstream": VALUES,
    # A simulated video is drawn by the code that checks real ones, in the same limited child process; an
    # uploaded one is as long as the gateway takes it to be.
    "upstream.simulator": VALUES
    | {"upstream", "media.child", "media.video", "media.render", "media.mp4_facts"},
    # An identity provider is asked through our own client, which it is handed.
    "accounts": VALUES | {"store", "upstream.client"},
    # It is handed the store, adapters and the downloader.
    # What is logged while a job is watched says which.
    "supervisor": VALUES | {"store", "upstream.adapter", "media.download", "media.files", "logs.context"},
    # A restore says what may have been paid for by the same recorder as everybody else.
    "backup": VALUES | {"store", "places", "backup_settings", "media.files", "supervisor.recorder"},
    "realtime": VALUES | {"store"},
    # Of an upstream it knows the word for a file (Variant), of the media where a file lies and what makes a picture.
    "http": VALUES
    | {"settings", "store", "supervisor", "realtime", "accounts", "upstream.adapter"}
    | {
        "media.files",
        "media.images",
        "media.image_source",
        "media.library",
        "media.mp4_facts",
        # Many videos are sent as one archive.
        "media.zip_stream",
        "provisioning",
        "diagnosis",
        "webhooks",
        "alerts",
        "runtime_settings",
        # Addresses of files and shared videos are signed; it is handed the signers.
        "signing_keys",
        # An administrator sees what goes next, and what was found.
        "retention",
        # What is logged while a request is answered says which.
        "logs.context",
    },
    "operations": VALUES
    | {
        "oversight",
        "operations_credits",
        "operations_storage",
        "store",
        "accounts",
        "supervisor",
        "signing_keys",
        "retention.reconciler",
    },
    # What a walk is to do.
    "operations_storage": VALUES | {"operations", "retention.reconciler"},
    # What is old goes: whose is how old the plans say, files by way of the supervisor, rows by way of the store.
    "retention": VALUES
    | {
        "accounts.plans",
        "media.files",
        "media.inventory",
        "retention_settings",
        "store",
        "supervisor.removing",
    },
    "operations_credits": VALUES | {"store", "operations", "accounts"},
    "oversight": VALUES | {"store", "operations"},
    # Messages go where people say, by the same checked steps as images come from there.
    "webhooks": VALUES
    | {
        "store",
        "keybox",
        "webhook_settings",
        "upstream.addresses",
        "upstream.client",
        "upstream.hops",
        "upstream.moments",
    },
    # It asks the parts how they are, and sends through the client.
    "alerts": VALUES
    | {
        "alerts_settings",
        "settings",
        "store",
        # How old the latest backup is, its name tells.
        "backup.keeping",
        "backup_settings",
        "supervisor.gate",
        "supervisor.watcher",
        "upstream.client",
        "upstream.moments",
    },
    # From settings to adapters: the one place besides app that knows both configuration and parts.
    "wiring": VALUES | {"settings", "supervisor", "upstream", "observing.calls"},
    # Whoever watches the gateway reads every part, and an adapter is counted from the outside.
    "observing": VALUES | {"upstream.adapter", "logs", "metrics_settings"},
    "observing.sources": VALUES
    | {"observing", "store", "supervisor", "wiring", "realtime.hub", "media.files", "webhooks.endpoints"}
    | {"http.metering", "http.services"},
    "observing.readings": VALUES | {"observing", "store"},
    "observing.exposition": VALUES | {"observing"},
    # For other programs: the catalogue of errors, time and chance, and nothing else of ours.
    "client": frozenset({"errors", "clock", "entropy"}),
    "identity": frozenset({"settings", "oidc_settings", "accounts.oidc_provider"}),
    "keybox": frozenset({"errors"}),
    "descriptors": frozenset(),
    "signing_keys": frozenset({"errors", "clock", "entropy"}),
    # An upstream is asked what it is before anybody pays it.
    "diagnosis": VALUES | {"settings", "upstream.client", "upstream.detection", "wiring"},
    # Upstreams at run time: stored, wired, and told to the supervisor; what each can do its adapter says.
    "provisioning": VALUES
    | {"settings", "keybox", "store", "supervisor", "wiring", "diagnosis", "upstream.adapter"},
    # What an administrator changes while it runs: stored, and held against the bounds of the configuration.
    "runtime_settings": VALUES | {"settings", "section", "store"},
    "app": EVERYTHING,
    "serving": frozenset({"app", "descriptors", "logs", "settings", "wiring", "observing.opening"}),
    "cli": EVERYTHING,
    "bench": EVERYTHING,
    "__main__": frozenset({"cli"}),
}
"""Part of the package -> the parts that it may import. The longest name that fits counts."""

ONLY_IN: Mapping[str, tuple[str, ...]] = {
    # The client is what other programs import, and takes nothing of the server with it.
    "httpx": ("upstream/client.py", "client/http.py"),
    "sqlite3": ("store/",),
    "aiosqlite": ("store/",),
    "sqlalchemy": ("store/",),
    "sqlmodel": ("store/",),
    "alembic": ("store/",),
    "uvicorn": ("http/server.py", "http/guarded_h11.py", "http/websocket_protocol.py"),
    "uvloop": ("serving.py",),
    "starlette": ("http/", "realtime/", "upstream/simulator/"),
    "argparse": ("cli/",),
    "argon2": ("accounts/passwords.py",),
    "zxcvbn": ("accounts/passwords.py",),
    "cryptography": ("keybox.py",),
    "joserfc": ("accounts/oidc_tokens.py",),
    # One place knows the keys and how they sign; whoever wants something signed is handed a signer for its purpose.
    "itsdangerous": ("signing_keys.py",),
    "prometheus_client": ("observing/exposition.py",),
    "opentelemetry": ("observing/tracing.py",),
    "sentry_sdk": ("observing/sentry.py",),
    "av": ("media/",),
    # The simulator reads the size of a reference image.
    "PIL": ("media/", "upstream/simulator/orders.py"),
    "secrets": ("entropy.py",),
    # render.py draws scenery from a generator seeded by the prompt: the same picture every time.
    "random": ("entropy.py", "media/render.py"),
    "uuid": (),
    # The command line blocks in front of a person; it has no event loop, so no Clock to wait on.
    "time": ("clock.py", "cli/"),
}
"""Module of others -> where alone it may be imported. Benchmarks measure all of it, and are free."""

HEAVY = frozenset(
    {
        "sqlalchemy",
        "sqlmodel",
        "alembic",
        "PIL",
        "av",
        "argon2",
        "cryptography",
        "joserfc",
        "prometheus_client",
    }
)
MAY_BE_HEAVY = frozenset(
    {
        "store/migrate.py",
        "store/tables.py",
        "store/people_tables.py",
        "store/credit_tables.py",
        "store/webhook_tables.py",
        "observing/exposition.py",
    }
)
"""Themselves imported only to migrate, or when somebody asks for metrics."""

STARTED_BY_NAME = {
    "__main__.py": "python -m sora_gateway",
    "upstream/simulator/make_clip.py": "run by hand when the shipped clip is made anew",
    "store/tables.py": "the models that migrations are compared with; imported where they are",
    "store/people_tables.py": "the same",
    "store/credit_tables.py": "the same",
    "store/webhook_tables.py": "the same",
}
"""Modules that no import leads to, and what does."""

FOR_OTHERS = {
    "EVENTS": "every kind of event, for the tests of the table",
    "schema_script": "make schema, .ci/run and their test",
    "differences": ".ci/run and its test",
    "paid_creates": "tests count what was paid for",
    "effect": "the table of faults in docs/configuration.md",
    "send_400_response": "called by uvicorn",
    "handleError": "called by logging",
    "capture_signals": "called by uvicorn",
    "run_asgi": "called by uvicorn",
    "start_keepalive": "called by uvicorn",
    "send_receive_event_to_app": "called by uvicorn",
    "main_loop": "called by uvicorn",
    "chunk_size": "read by Starlette",
    "METRICS": "the table in the documentation, and the tests of what is in deploy/",
    "PROCESS": "the same",
}
"""Public names that nothing in the package uses, and who does."""


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def module_of(path: Path) -> str:
    """``store.jobs`` for ``store/jobs.py``, ``store`` for its ``__init__``; the package itself is empty."""
    return (
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")
    )


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 11))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module, wherever the statement stands, and whether it runs when *path* is imported."""
    module_level = set(map(id, _run_at_import(tree_of(path).body)))
    for node in ast.walk(tree_of(path)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            assert node.module is not None
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            yield name, id(node) in module_level


def _run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            yield from _run_at_import(getattr(node, field, []))


def own_imports(path: Path) -> set[str]:
    """The modules of this package that *path* imports, without ``sora_gateway.``."""
    known = {module_of(other) for other in MODULES}
    found = set()
    for name, _ in imports(path):
        if name.split(".")[0] == "sora_gateway":
            inner = name.removeprefix("sora_gateway").removeprefix(".")
            # ``from a.b import c`` is the module a.b.c, or a name in a.b.
            found.add(inner if inner in known else inner.rpartition(".")[0])
    return found - {""}


def named_in(path: Path) -> set[str]:
    """The modules that *path* names in strings, to be run elsewhere."""
    texts = [
        node.value
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    named = {name for text in texts for name in re.findall(r"\bsora_gateway\.(\w+(?:\.\w+)*)", text)}
    return named & {module_of(other) for other in MODULES}


def part_of(module: str) -> str:
    fitting = [part for part in MAY_IMPORT if module == part or module.startswith(f"{part}.")]
    assert fitting, f"{module} has no row in the table of who may import whom"
    return max(fitting, key=len)


def within(module: str, parts: frozenset[str]) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in parts)


def permits(part: str, module: str) -> bool:
    allowed = MAY_IMPORT[part]
    return allowed >= EVERYTHING or within(module, allowed)


# --- who knows whom ----------------------------------------------------------------------------------


def test_every_import_is_in_the_table() -> None:
    wrong = [
        f"{name_of(path)} imports {other}"
        for path in MODULES
        for other in own_imports(path)
        if part_of(other) != part_of(module_of(path)) and not permits(part_of(module_of(path)), other)
    ]
    assert not wrong
    assert not own_imports(PACKAGE / "__init__.py"), "importing the package must cost nothing"


def test_only_the_command_line_and_benchmarks_import_the_whole() -> None:
    users = {part_of(module_of(path)) for path in MODULES if "app" in own_imports(path)}
    assert users <= {"serving", "cli", "bench"}
    assert "cli" not in own_imports(PACKAGE / "app.py")


def test_the_table_permits_nothing_that_nobody_needs() -> None:
    unused = [
        f"{part} -> {permitted}"
        for part, row in MAY_IMPORT.items()
        for permitted in row - EVERYTHING - VALUES
        if not any(
            within(other, frozenset({permitted}))
            for path in MODULES
            if part_of(module_of(path)) == part
            for other in own_imports(path)
        )
    ]
    assert not unused


@pytest.mark.parametrize("other", ONLY_IN)
def test_what_is_known_in_one_place_is_imported_nowhere_else(other: str) -> None:
    places = ONLY_IN[other]
    users = {name_of(path) for path in MODULES for name, _ in imports(path) if name.split(".")[0] == other}
    strangers = {
        user for user in users if not user.startswith("bench") and not any(map(user.startswith, places))
    }
    assert not strangers
    idle = [place for place in places if not any(user.startswith(place) for user in users)]
    assert not idle, "this exception is not needed any more"


def test_nothing_heavy_is_imported_on_the_way_to_serving() -> None:
    found = {
        f"{name_of(path)}: {name}"
        for path in MODULES
        if name_of(path) not in MAY_BE_HEAVY and not name_of(path).startswith("bench")
        for name, at_import in imports(path)
        if at_import and name.split(".")[0] in HEAVY
    }
    assert not found


# --- the core is pure --------------------------------------------------------------------------------

CORE = [path for path in MODULES if name_of(path).startswith("core/")]
WAITING = (ast.AsyncFunctionDef, ast.Await, ast.AsyncWith, ast.AsyncFor)
CORE_MAY_IMPORT = frozenset(
    {
        "__future__", "array", "bisect", "collections", "dataclasses", "datetime", "enum", "functools", "heapq", "math",
        "ipaddress", "base64", "binascii", "hashlib", "hmac", "operator", "re", "typing", "unicodedata", "pydantic", "pydantic_core", "sora_gateway",
    }
)  # fmt: skip


def test_the_core_waits_for_nothing_and_touches_nothing() -> None:
    for path in CORE:
        assert {name.split(".")[0] for name, _ in imports(path)} <= CORE_MAY_IMPORT, name_of(path)
        nodes = list(ast.walk(tree_of(path)))
        assert not [node for node in nodes if isinstance(node, WAITING)], name_of(path)
        called = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
        assert not called & {"open", "print", "input", "exec", "eval"}, name_of(path)


def test_nobody_asks_the_system_for_the_date_or_for_random_bytes() -> None:
    """``datetime`` converts moments that it is given; only clock.py knows which moment it is."""
    asked = {
        f"{name_of(path)}: {ast.unparse(node)}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
        if ast.unparse(node.value) in {"datetime", "date", "datetime.datetime"}
    }
    assert not asked
    drawn = [
        name_of(path)
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.urandom"
    ]
    assert not [name for name in drawn if not name.startswith("bench")], "entropy.py is where bytes come from"


# --- one place for what must not happen twice --------------------------------------------------------

CALLED_ONLY_IN = {
    "advance": {"supervisor/recorder.py"},
    "movement": {"supervisor/recorder.py"},
    # doctor --spend makes one clip that is nobody's job, to see what comes of it.
    "classify": {"supervisor/creating.py", "supervisor/characters.py", "cli/trial.py"},
    "_store.save": {"supervisor/recorder.py"},
    "store.accept_together": {"supervisor/accepting.py"},
    "adapter.create": {"supervisor/creating.py", "cli/trial.py"},
    "_on_commit": {"store/writer.py"},
}
"""Ends of calls -> the one module that makes them: a job changes, is paid for and is told of in one place."""


@pytest.mark.parametrize("call", CALLED_ONLY_IN)
def test_what_must_not_happen_twice_is_called_in_one_place(call: str) -> None:
    callers = {
        name_of(path)
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and f".{ast.unparse(node.func)}".endswith(f".{call}")
    }
    assert {caller for caller in callers if not caller.startswith("bench")} == CALLED_ONLY_IN[call]


# --- form --------------------------------------------------------------------------------------------


def test_every_module_is_short_and_says_what_it_is_for() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {name: length for name, length in lengths.items() if length > MAX_LINES}
    assert not [name_of(path) for path in MODULES if not ast.get_docstring(tree_of(path))]


def test_no_module_is_named_after_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
    assert not [name_of(path) for path in MODULES if vague & set(re.split(r"[/._]", name_of(path)))]


def test_whoever_catches_everything_says_why() -> None:
    """A comment on the line itself, or on the first line of the block."""
    silent = []
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
            ):
                beside = [*lines[node.lineno - 1 : node.body[0].lineno]]
                cleans_up = any(isinstance(inner, ast.Raise) for inner in node.body)
                if not cleans_up and not any("#" in line for line in beside):
                    silent.append(f"{name_of(path)}:{node.lineno}")
    assert not silent


# --- nothing is left lying about ---------------------------------------------------------------------


def test_every_module_is_reached_from_the_command_line() -> None:
    by_name = {module_of(path): path for path in MODULES}
    reached: set[str] = set()
    waiting = ["cli"]
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.add(module)
        waiting += own_imports(by_name[module]) | named_in(by_name[module])
        # Importing a.b.c runs a.b and a as well.
        while "." in module:
            module = module.rpartition(".")[0]
            waiting.append(module)
    lost = {name_of(path) for name, path in by_name.items() if name not in reached}
    assert lost <= set(STARTED_BY_NAME), "nothing leads to these"


def words(path: Path) -> Iterator[str]:
    """The names in a module, and the words in its short strings (``getattr``, code that is run by name)."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.NAME:
            yield token.string
        elif token.type == tokenize.STRING and '"""' not in token.string:
            yield from re.findall(r"\w+", token.string)


def defined(path: Path) -> Iterator[str]:
    """The public names that a module and its classes define."""
    bodies = [tree_of(path).body] + [
        node.body for node in tree_of(path).body if isinstance(node, ast.ClassDef)
    ]
    for node in (node for body in bodies for node in body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_every_public_name_is_used() -> None:
    used = Counter(word for path in MODULES for word in words(path))
    unused = {
        name
        for path in MODULES
        # Models of tables are read by SQLModel, fields of configurations and messages by pydantic.
        if not name_of(path).endswith("tables.py")
        for name in defined(path)
        if not name.startswith("_") and used[name] < 2
    }
    assert unused == set(FOR_OTHERS)
