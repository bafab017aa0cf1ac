"""What the gateway knows without asking anybody: no await, no clock, no I/O in this package."""
