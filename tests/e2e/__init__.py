"""The page in a real browser, against a real gateway: ``make test-e2e``."""
