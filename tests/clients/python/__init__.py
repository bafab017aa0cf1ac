"""OpenAI's Python SDK as a client, of any version that has ``videos``; run with the python that has it."""
