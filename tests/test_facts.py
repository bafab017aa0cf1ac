"""Facts that are written down twice, because neither place may know the other: they say the same."""

from __future__ import annotations

import argparse
import inspect
import re
from dataclasses import asdict
from typing import Any, get_args

from sora_gateway.accounts.authenticator import LINK_LIFETIME
from sora_gateway.app import SOCKETS_MAY_FINISH
from sora_gateway.cli import jobs, people, progress
from sora_gateway.core import catalogue
from sora_gateway.core.catalogue import Offer, complaint
from sora_gateway.core.claim import RESEND_WINDOW
from sora_gateway.core.job import ENDED
from sora_gateway.core.picture import Fit
from sora_gateway.core.polling import PollPolicy
from sora_gateway.core.principal import Role
from sora_gateway.core.reconcile import EARLY, LATE, LOOKS, RESENDS
from sora_gateway.core.steering import LATEST, LONGEST_KEPT, SHORTEST_KEPT, SOONEST
from sora_gateway.core.views import status_of
from sora_gateway.errors import CloseCode
from sora_gateway.http.server import GatewayServer
from sora_gateway.http.waiting import MAX_WAIT
from sora_gateway.media.download import DownloadLimits
from sora_gateway.realtime.live import RealtimeLimits
from sora_gateway.realtime.session import SNAPSHOT
from sora_gateway.settings import Jobs, Media, Polling, Realtime, Simulator, Upstream
from sora_gateway.supervisor.gate import FIRST_PAUSE, LONGEST_PAUSE
from sora_gateway.supervisor.polling import LOST_AFTER, LOST_CONFIRMATIONS, VISIBILITY_GRACE
from sora_gateway.supervisor.reconciling import LIST_RETRIES, LONGEST_RETRY, LOST_LOOKS
from sora_gateway.supervisor.supervisor import CREATES_MAY_FINISH
from sora_gateway.supervisor.watcher import Limits
from sora_gateway.upstream.simulator import orders
from sora_gateway.upstream.simulator.state import SimulatorOptions
from sora_gateway.wiring import SIMULATED_SECONDS, SIMULATED_SIZES
from tests.generated import ROOT, commands, comments_of


def agree(settings: Any, limits: Any) -> set[str]:
    """The names that both have; their defaults have to be the same."""
    shared = set(type(settings).model_fields) & set(asdict(limits))
    assert {name: getattr(settings, name) for name in shared} == {
        name: getattr(limits, name) for name in shared
    }
    return shared


def test_the_parts_defaults_are_the_settings() -> None:
    """The parts take plain values, so that they know nothing of settings."""
    assert agree(Jobs(), Limits()) == {"create_attempts", "create_timeout", "overdue_after", "final_limit"}
    assert set(Realtime.model_fields) - agree(Realtime(), RealtimeLimits()) == {"max_message"}
    assert set(Realtime().for_connections()) == agree(Realtime(), RealtimeLimits())
    assert inspect.signature(GatewayServer).parameters["max_message"].default == Realtime().max_message
    assert agree(Media(), DownloadLimits()) == {"max_file"}
    assert Media().downloads == DownloadLimits().at_once
    assert agree(Polling(), PollPolicy()) == {"min_interval", "max_interval", "watched_interval"}
    assert Polling().policy == PollPolicy().name
    assert len(agree(Simulator(), SimulatorOptions())) == len(Simulator.model_fields)


def test_the_simulator_on_a_port_is_like_the_embedded_one() -> None:
    parser: argparse.ArgumentParser = next(parser for name, parser, _ in commands() if name == "simulate")
    defaults = parser.parse_args([])
    for name in ("duration", "sigma", "failure_rate", "directives"):
        assert getattr(defaults, name) == getattr(Simulator(), name)


def test_what_the_embedded_simulator_is_offered_for_it_can_make() -> None:
    offer = Offer("simulator", {name: name for name in orders.MODELS})
    assert not [
        (seconds, size)
        for seconds in SIMULATED_SECONDS
        for size in SIMULATED_SIZES
        if complaint(offer, seconds, size)
    ]
    assert max(SIMULATED_SECONDS) <= orders.MAX_SECONDS
    longest = Upstream.model_fields["seconds"].description
    assert longest is not None
    assert f"1 to {catalogue.MAX_SECONDS}" in longest


def test_the_command_line_knows_the_roles_and_the_ends() -> None:
    assert get_args(Role) == people.ROLES
    assert tuple(Fit) == jobs.FITS
    assert {status_of(state) for state in ENDED} == progress.FINAL


def test_the_page_knows_the_close_codes() -> None:
    script = (ROOT / "static/js/sora-live.js").read_text(encoding="utf-8")
    (written,) = re.findall(r"^const CLOSE = \{(.*?)\};", script, re.DOTALL | re.MULTILINE)
    codes = {name: int(code) for name, code in re.findall(r"([A-Z_]+): (\d+)", written)}
    assert len(codes) > 5
    assert codes == {name: CloseCode[name].value for name in codes}


def test_the_numbers_in_the_close_codes_are_the_limits() -> None:
    said = comments_of(CloseCode)
    assert all(name in Realtime.model_fields for name in re.findall(r"`realtime\.(\w+)`", str(said)))
    assert "ten seconds" in said["NOT_AUTHENTICATED"]
    assert Realtime().auth_timeout == 10


def test_the_numbers_in_the_documentation_are_the_ones_in_the_code() -> None:
    said = " ".join((ROOT / "docs/operating.md").read_text(encoding="utf-8").split())
    numbers: dict[str, bool] = {
        "denies it for five minutes": LOST_AFTER == 300,
        "12 times within 22 hours": (len(RESENDS), RESENDS[-1]) == (12, 22 * 3600),
        "15, 60 and 180 seconds after the create was sent": LOOKS == (15, 60, 180),
        "between 5 seconds before the sending and 60 seconds after": (EARLY, LATE) == (5, 60),
        "a minute, 5 and 30 minutes, 2, 6 and 24 hours": LOST_LOOKS == (60, 300, 1800, 7200, 21600, 86400),
        "asked for again for two hours": 2 * 3600
        <= sum(min(LONGEST_RETRY, 60.0 * 2**retry) for retry in range(LIST_RETRIES))
        < 3 * 3600,
        "bounded by `max_creating` of each upstream (2)": Upstream.model_fields["max_creating"].default == 2,
        "`jobs.final_limit` (48 hours)": Jobs().final_limit == 48 * 3600,
        "30 seconds first, then longer, up to 15 minutes": (FIRST_PAUSE, LONGEST_PAUSE) == (30, 900),
        "up to 20 seconds to hear their answer": CREATES_MAY_FINISH == 20,
        "open answers get 5 seconds": SOCKETS_MAY_FINISH == 5,
        "`media.min_free_disk` (256 MiB)": Media().min_free_disk == 256 << 20,
        "signs Ann in once, within an hour": LINK_LIFETIME == 3600,
    }
    assert [text for text, right in numbers.items() if text not in said or not right] == []
    reasons = " ".join((ROOT / "docs/architecture.md").read_text(encoding="utf-8").split())
    assert "after three denials over five minutes, and not in the first two minutes" in reasons
    assert (LOST_CONFIRMATIONS, VISIBILITY_GRACE) == (3, 120)
    described = " ".join(
        (ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("routes", "live", "api")
    )
    described = " ".join(described.split())
    assert f"`media.max_references` images ({Media().max_references})" in described
    assert "the hundred newest for `all`" in described
    assert SNAPSHOT == 100
    assert "a quarter of a second to half a minute" in described
    assert (SOONEST, LATEST) == (0.25, 30)
    assert "so they get two to ten seconds" in described
    assert (SHORTEST_KEPT, LONGEST_KEPT) == (2, 10)
    assert "after so many seconds (0 to 60)" in described
    assert MAX_WAIT == 60
    assert "fields and files within fifteen minutes" in described
    assert "belong together for fifteen minutes" in reasons
    assert RESEND_WINDOW == 15 * 60
    assert "good for an hour" in described
    assert Media().url_lifetime == 3600
