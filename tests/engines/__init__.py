"""Real engines and a browser as fixtures: each is started once a session and stopped by its own process."""
