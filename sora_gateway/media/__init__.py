"""Files of jobs: fetched, verified, placed, and looked into."""
