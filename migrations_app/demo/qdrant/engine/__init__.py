"""Collections on Qdrant's own engine."""
