"""Qdrant, as a source."""
