"""One watcher per unfinished job, and the only writer of jobs."""

from sora_gateway.supervisor.supervisor import Order, Supervisor

__all__ = ["Order", "Supervisor"]
