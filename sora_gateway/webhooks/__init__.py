"""Outbound webhooks: other programs are told, with a signature, when videos have ended."""
