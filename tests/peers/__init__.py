"""LiteLLM's proxy, a process of its own, behind a gateway and before one: ``make test-peers``.

No part of the ordinary test run: it needs an environment of its own.
"""
