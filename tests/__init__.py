"""How the gateway behaves, told by example; test_story.py comes first."""
