"""Request -> job: routes, the rules that hold for all of them, and the server underneath."""
