"""Qdrant server: Qdrant's own engine (the package qdrant-edge-py) behind its REST and gRPC interfaces.

It holds one node without a cluster. What it does not offer, it refuses. The tests use the same server with
faults (``tests/emulators/qdrant``).
"""
