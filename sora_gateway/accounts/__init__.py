"""People and programs: who they are, and how they prove it."""
