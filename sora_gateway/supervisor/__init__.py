"""One watcher per unfinished job, and the only writer of jobs."""

from sora_gateway.supervisor.order import Order
from sora_gateway.supervisor.supervisor import Supervisor

__all__ = ["Order", "Supervisor"]
