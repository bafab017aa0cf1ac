"""All SQL. Nothing outside this package knows any of it."""

from sora_gateway.store.store import Store

__all__ = ["Store"]
