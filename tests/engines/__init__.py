"""Fixtures of real engines and a browser: each starts once a session, and its process stops it."""
