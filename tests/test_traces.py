"""Traces and reports of errors, as they arrive at a collector of the operator's; without the settings there is nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr

from sora_gateway.errors import StartupError
from sora_gateway.logs.redaction import REDACTED, Redactor
from sora_gateway.metrics_settings import Sentry, Tracing
from sora_gateway.observing.opening import reporting, tracing
from sora_gateway.observing.sentry import redacted
from tests.canaries import leaks
from tests.lab import closing, unused_port
from tests.processes import ROOT
from tests.raw_server import RawServer, Received, Wire, serving_raw
from tests.running import Person, person, running, settings_for

PROMPT = "a paper boat that nobody else knows of"


async def takes(request: Received, wire: Wire) -> None:
    await wire.send(closing(200, {}))


class Seen:
    """One span, as the collector has it."""

    def __init__(self, span: Any) -> None:
        self.name: str = span.name
        self.trace: str = span.trace_id.hex()
        self.id: str = span.span_id.hex()
        self.parent: str = span.parent_span_id.hex()
        self.failed: bool = span.status.code == 2
        self.attributes: Mapping[str, str | int] = {
            each.key: each.value.string_value or each.value.int_value for each in span.attributes
        }


def spans(collector: RawServer) -> list[Seen]:
    found = []
    for request in collector.requests:
        body = (
            gzip.decompress(request.body)
            if request.headers.get("content-encoding") == "gzip"
            else request.body
        )
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert names["service.name"] == "the lab's gateway"
            found += [Seen(span) for scope in resource.scope_spans for span in scope.spans]
    return found


@asynccontextmanager
async def traced(directory: Path, collector: RawServer, **more: Any) -> AsyncIterator[Person]:
    """Ann at a gateway that sends its traces to *collector*, all of them at its end at the latest."""
    sent = {"endpoint": f"{collector.url}/v1/traces", "service_name": "the lab's gateway"} | more
    async with running(settings_for(directory, tracing=sent)) as gateway, person(gateway) as ann:
        yield ann


async def test_a_video_is_one_trace_from_the_request_to_the_file(tmp_path: Path) -> None:
    async with serving_raw(takes) as collector, traced(tmp_path, collector) as ann:
        video = await ann.make(PROMPT)
        await ann.comes_to(video["videoId"], "completed")
        url = (await ann.task(video["videoId"]))["videoUrl"]
        assert (await ann.http.get(url)).status_code == 200
        assert (await ann.http.get("/api/shared/some-token-of-a-share-link")).status_code == 404
        assert (await ann.http.get("/api/models?q=what+somebody+looks+for")).status_code == 200
    found = spans(collector)
    assert {request.target for request in collector.requests} == {"/v1/traces"}
    (asked,) = [span for span in found if span.name == "POST /api/video/tasks"]
    assert asked.attributes["http.route"] == "/api/video/tasks"
    assert asked.attributes["http.response.status_code"] == 202
    assert str(asked.attributes["sora_gateway.request_id"]).startswith("req_")
    (create,) = [span for span in found if span.name == "create simulator"]
    assert (create.trace, create.parent) == (asked.trace, asked.id)
    assert create.attributes["sora_gateway.outcome"] == "2xx"
    assert create.attributes["sora_gateway.job_id"] == video["videoId"]
    downloads = [span for span in found if span.name == "download simulator"]
    assert downloads
    assert {span.trace for span in downloads} == {asked.trace}
    assert not [span for span in found if "look" in span.name], "of those there are too many"
    assert "GET /api/shared/{token}" in {span.name for span in found}

    everything = "\n".join(request.body.decode("latin-1") for request in collector.requests)
    everything += str([(span.name, span.attributes) for span in found])
    assert leaks(everything) == []
    secrets = (
        PROMPT,
        "example.org",
        "signature",
        "expires",
        "some-token",
        "somebody",
        "127.0.0.1",
        "python-httpx",
        ann.key,
    )
    assert not [word for word in secrets if word in everything]


async def test_whoever_asks_may_have_begun_the_trace(tmp_path: Path) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    async with serving_raw(takes) as collector, traced(tmp_path, collector, sample_ratio=0.0) as ann:
        await ann.http.get("/ready")
        await ann.http.get("/health", headers={"traceparent": f"00-{trace}-{parent}-01"})
    (span,) = spans(collector)
    assert (span.name, span.trace, span.parent) == ("GET /health", trace, parent)


async def test_a_collector_that_is_not_there_keeps_nothing_from_working_or_ending(tmp_path: Path) -> None:
    nobody = RawServer(unused_port())
    async with traced(tmp_path, nobody) as ann:
        assert (await ann.http.get("/ready")).status_code == 200


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tracing", "sentry"):
        monkeypatch.setitem(sys.modules, f"sora_gateway.observing.{module}", None)
        monkeypatch.delattr(f"sora_gateway.observing.{module}", raising=False)
    wanted = tracing(Tracing(endpoint="http://127.0.0.1:4318/v1/traces"))
    with pytest.raises(StartupError, match=r"pip install 'sora-gateway\[otel\]'"):
        await wanted.__aenter__()
    with pytest.raises(StartupError, match=r"pip install 'sora-gateway\[sentry\]'"):
        reporting(Sentry(dsn=SecretStr("http://key@127.0.0.1:1/1")), Redactor())


REPORTS = """
import logging, sys
from sora_gateway.logs.lines import configure
from sora_gateway.logs.redaction import Redactor
from sora_gateway.metrics_settings import Sentry
from sora_gateway.observing.opening import reporting

redactor = Redactor()
configure("info", "text", redactor)
redactor.add(["the key of an upstream"])
log = logging.getLogger("sora_gateway.some.module")

def breaks(secret):
    raise RuntimeError("it said Bearer abcdefghij about " + secret)

with reporting(Sentry(dsn=sys.argv[1], environment="lab"), redactor):
    log.info("before, with the key of an upstream")
    log.warning("this is only a warning")
    try:
        breaks("the key of an upstream")
    except RuntimeError:
        log.exception("the watcher of %s broke with %s", "video_1", {"password": "hunter2hunter2"})
log.error("after the end, to nobody")
"""


async def test_an_unexpected_error_is_reported_without_secrets_variables_or_names() -> None:
    async with serving_raw(takes) as sentry:
        dsn = f"http://public@127.0.0.1:{sentry.port}/7"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", REPORTS, dsn, cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        _, complaints = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, complaints.decode()
    assert {request.target for request in sentry.requests} == {"/api/7/envelope/"}
    events = [event for request in sentry.requests for event in reported(request)]
    (event,) = events
    assert event["environment"] == "lab"
    assert event["level"] == "error"
    (error,) = event["exception"]["values"]
    assert error["type"] == "RuntimeError"
    assert error["value"] == f"it said {REDACTED} about {REDACTED}"
    assert error["stacktrace"]["frames"][-1]["function"] == "breaks"
    assert not [frame for frame in error["stacktrace"]["frames"] if "vars" in frame]
    assert event["logentry"] == {
        "message": "the watcher of %s broke with %s",
        "formatted": f"the watcher of video_1 broke with {{'password': {REDACTED}}}",
    }
    assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]] == [
        f"before, with {REDACTED}", "this is only a warning",
    ]  # fmt: skip
    everything = json.dumps(event)
    assert not [word for word in ("key of an upstream", "abcdefghij", "hunter2") if word in everything]
    assert not {"request", "user", "modules"} & set(event)
    assert not event.get("server_name")


def reported(request: Received) -> list[dict[str, Any]]:
    body = (
        gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
    )
    lines = body.split(b"\n")
    return [
        json.loads(payload)
        for header, payload in zip(lines[1::2], lines[2::2], strict=False)
        if json.loads(header).get("type") == "event"
    ]


def test_what_is_reported_is_redacted_wherever_it_stands() -> None:
    redactor = Redactor()
    redactor.add(["a secret of some length"])
    event = {
        "a secret of some length": ["x", ("a secret of some length", 1, None)],
        "deep": {"token": "token=abcdefgh"},
    }
    assert redacted(event, redactor) == {
        REDACTED: ["x", [REDACTED, 1, None]],
        "deep": {"token": f"token={REDACTED}"},
    }
