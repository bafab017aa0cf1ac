"""Live updates through WebSocket and event stream clients of others; run by ``tests/clients/live.py``."""
