"""Emulators: servers that show behavior which the real engines of the tests do not show."""
