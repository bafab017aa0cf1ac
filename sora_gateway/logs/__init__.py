"""What the process says to its operator: one bounded line for each record, and no secret in any."""
