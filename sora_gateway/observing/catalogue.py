"""Every metric of ``/metrics``, once: its name, what it tells apart, and what it says.

``docs/operating.md`` has its table from here, and the board and the rules in ``deploy/`` are held against it. Names are
those of Prometheus' conventions: base units, and ``_total`` for what only grows. Each label has few values, which no
stranger can add to: upstreams are configured, routes are those of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "sora_gateway_"


class Form(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """*name* without the prefix; a histogram's samples have ``_bucket``, ``_sum`` and ``_count`` behind it."""

    form: Form
    name: str
    help: str
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return PREFIX + self.name


def _counter(name: str, help: str, *labels: str) -> Metric:
    return Metric(Form.COUNTER, name, help, labels)


def _gauge(name: str, help: str, *labels: str) -> Metric:
    return Metric(Form.GAUGE, name, help, labels)


def _histogram(name: str, help: str, *labels: str) -> Metric:
    return Metric(Form.HISTOGRAM, name, help, labels)


BUILD = _gauge("build_info", "Always 1; its label is the version that runs.", "version")
PHASE = _gauge("phase", "1 for what the process does now: starting, serving or stopping.", "phase")
WRITABLE = _gauge("storage_writable", "0 when the latest commit failed because of the disk.")

# Jobs.
JOBS = _gauge("jobs", "Unfinished videos by upstream and state.", "upstream", "state")
OVERDUE = _gauge("jobs_overdue", "Unfinished videos that take longer than jobs.overdue_after.")
JOB_STATES = _counter(
    "job_states_total",
    "Videos that came to a state since the start; `unknown` are creates whose outcome nobody knows.",
    "upstream",
    "state",
)
DETECTION = _histogram(
    "detection_delay_seconds",
    "From an upstream's finishing a video, as closely as looking can tell, until that was seen.",
    "upstream",
)

# Upstreams.
CALLS = _counter(
    "upstream_calls_total",
    "Requests to upstreams: create, create_character, look, list, cancel, download, probe; and what came of them.",
    "upstream",
    "operation",
    "outcome",
)
CALL_SECONDS = _histogram(
    "upstream_call_duration_seconds",
    "How long they took; a download until its first byte.",
    "upstream",
    "operation",
)
BREAKER = _gauge(
    "upstream_breaker_state",
    "1 for the state of the circuit breaker: closed, open or half-open.",
    "upstream",
    "state",
)
PAUSED = _gauge(
    "upstream_paused",
    "1 while no new video is sent there, for whatever reason but its spend cap.",
    "upstream",
)
SPEND_REACHED = _gauge("upstream_spend_cap_reached", "1 while its spend cap makes videos wait.", "upstream")
SPEND = _gauge(
    "upstream_spend", "What it may have cost in 24 hours, in the money of its settings.", "upstream"
)
INSIDE = _gauge("upstream_places_taken", "Videos that it has, or is about to get.", "upstream")
PLACES = _gauge("upstream_places", "What it may have at once; 0 is unlimited.", "upstream")
WAITING = _gauge("upstream_waiting", "Videos that wait for a place there.", "upstream")

# Live updates.
CONNECTIONS = _gauge("live_connections", "WebSockets and event streams that are open.")
SUBSCRIPTIONS = _gauge("live_subscriptions", "What they follow: videos, or everything of somebody's.")
CHANGES = _counter("events_total", "Changes of videos that were stored and told.")
MERGED = _counter("live_merged_total", "Unread updates that gave way to the next one of their video.")
TOO_SLOW = _counter("live_too_slow_total", "Connections that were ended because they read too slowly.")
FAN_OUT = _histogram(
    "fan_out_delay_seconds",
    "From the commit of a change until it was handed over to the last who follows it.",
)

# The store.
COMMIT_SECONDS = _histogram(
    "store_commit_duration_seconds", "From the beginning of a transaction to its end on disk."
)
COMMIT_UNITS = _histogram("store_commit_units", "Writers that shared a transaction.")
COMMITS_FAILED = _counter("store_commits_failed_total", "Transactions that failed because of the disk.")
DATABASE = _gauge("store_database_bytes", "Size of the database.")
WAL = _gauge("store_wal_bytes", "What was committed and is not in it yet: the write-ahead log.")
DISK_FREE = _gauge("disk_free_bytes", "Free space where the files are.")
DISK_SIZE = _gauge("disk_size_bytes", "Size of that disk.")
DISK_FLOOR = _gauge("disk_floor_bytes", "media.min_free_disk: below it nothing new is taken.")

# Credits.
CREDITS_AVAILABLE = _gauge("credits_available", "What all people together can spend.")
CREDITS_HELD = _gauge("credits_held", "What is set aside for unfinished videos.")
CREDITS_MOVED = _counter(
    "credits_moved_total",
    "Credits ever moved, by the kind of the ledger's entry: grant, redeem, adjust, hold, settle, release.",
    "kind",
)

# HTTP and webhooks.
REQUESTS = _counter(
    "http_requests_total",
    "Answers by the route's template, method and class of the status; `other` is the page, and what is not there.",
    "route",
    "method",
    "status",
)
REQUEST_SECONDS = _histogram(
    "http_request_duration_seconds",
    "Until an answer began. Streams and long polls wait on purpose.",
    "route",
    "method",
)
IN_PROGRESS = _gauge("http_requests_in_progress", "Requests that are being answered, open streams included.")
WEBHOOK_TRIES = _counter(
    "webhook_tries_total",
    "Tries to deliver to webhooks: delivered, pending (tried again later) or given_up.",
    "outcome",
)
WEBHOOKS_PENDING = _gauge("webhook_outbox_pending", "Messages to webhooks that are still to be delivered.")
WEBHOOKS_LATE = _gauge("webhook_outbox_late_seconds", "For how long the one that waits longest has been due.")

METRICS = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
"""In the order in which they are shown."""

PROCESS = {
    "process_cpu_seconds_total": "CPU time of the process, all threads.",
    "process_resident_memory_bytes": "Memory that it has in RAM.",
    "process_virtual_memory_bytes": "Memory that it has asked for.",
    "process_open_fds": "File descriptors that are open.",
    "process_max_fds": "As many may be.",
    "process_start_time_seconds": "When it was started, in epoch seconds.",
}
"""What the client library adds, under the names that every process has; on Linux."""
