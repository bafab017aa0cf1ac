"""Options of the test run."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import sora_gateway

pytest_plugins = ["tests.canary_plugin", "tests.books_plugin"]

# How long an example takes is the machine's business: both cores are busy here, and every test has its 60 seconds.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", settings.get_profile("explore"), derandomize=True, print_blob=True)
settings.register_profile("thorough", settings.get_profile("explore"), max_examples=1000)
settings.load_profile("explore")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills",
        choices=("once", "full"),
        default="once",
        help="once: every crash point once; full: with upstream faults, repeated crashes and 10,000 updates",
    )
    parser.addoption("--e2e", action="store_true", help="the page in a real browser, and nothing else")
    parser.addoption(
        "--proxies", action="store_true", help="behind nginx, Caddy and HAProxy, and nothing else"
    )


def pytest_sessionstart() -> None:
    """Hypothesis also draws from the constants of our modules, of those that are loaded by then: the same examples
    every time need all of them loaded, whichever tests a process has run before."""
    if settings().derandomize:
        for module in pkgutil.walk_packages(sora_gateway.__path__, "sora_gateway."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The long form, the browser and the proxies are not part of the ordinary run; they are left out, not skipped."""
    for name in ("e2e", "proxies"):
        if collection_path == Path(__file__).parent / name and not config.getoption(f"--{name}"):
            return True
    long = collection_path.name == "test_kills_full.py" and config.getoption("--kills") != "full"
    return True if long else None
