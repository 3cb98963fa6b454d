"""Qdrant, as a source.

source.py        the ``Source`` itself
connect/         settings, REST, gRPC, and the errors of both
server.py        which of the two reads the points
collection.py    what the server says about a collection
listing.py       the list of collections
describe.py      the fields of a collection, from its configuration and a sample
questions.py     counts of all points
slices.py        the independent parts of a collection
scroll.py        the pages of a slice
wanted.py        the columns of a read
grpc_points.py   a page by gRPC: request and columns
rest_points.py   a page by REST: request and documents
wire/            the bytes of gRPC's answers, read for all points of a page at once
"""

from migrations_app.engine.sources.qdrant.source import QdrantSource

__all__ = ["QdrantSource"]
