"""Programs of other people against a gateway that is a process of its own: ``make test-clients`` and ``make fuzz``.

No part of the ordinary test run: they need environments of their own.
"""
