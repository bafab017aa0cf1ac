"""One process between a small team and every Sora-style video API."""
