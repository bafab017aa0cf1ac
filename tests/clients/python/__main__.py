"""Runs the checks. Arguments are words: only checks with one of them in their sentence are tried."""

from __future__ import annotations

import sys
import warnings

from tests.clients.python import losses, refusals, surface
from tests.clients.python.checking import Checks
from tests.clients.python.sdk import Sdk
from tests.clients.surroundings import Surroundings

if __name__ == "__main__":
    # OpenAI says on every call that its own servers are gone.
    warnings.simplefilter("ignore", DeprecationWarning)
    checks = Checks([*surface.checks.found, *refusals.checks.found, *losses.checks.found])
    sys.exit(checks.run(Sdk(Surroundings.read()), sys.argv[1:]))
