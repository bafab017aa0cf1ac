"""Telling everyone who is watching: hub, WebSocket and SSE."""
