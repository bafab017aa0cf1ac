"""The gateway of ``bench fanout`` with other patience for its peers:
``python -m tests.impatient SEND_TIMEOUT USER_TIMEOUT DIRECTORY JOBS``, in seconds; in the product neither is a setting.
"""

from __future__ import annotations

import functools
import runpy
import sys

from sora_gateway import app
from sora_gateway.http import server
from sora_gateway.realtime.live import RealtimeLimits
from tests.killable import instead

if __name__ == "__main__":
    name, send_timeout, user_timeout, *arguments = sys.argv
    instead(app, "RealtimeLimits", functools.partial(RealtimeLimits, send_timeout=float(send_timeout)))
    server.USER_TIMEOUT = round(1000 * float(user_timeout))
    sys.argv = [name, *arguments]
    runpy.run_module("sora_gateway.bench.fanout_gateway", run_name="__main__")
