"""Demo points: two Qdrant collections of the same texts as the demo database, with a payload that no schema
declares."""

import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from qdrant_client import QdrantClient, models

from migrations_app.demo.dataset import Library, read_library
from migrations_app.demo.embedder import DIMENSIONS, embed, word_weights

DOCS, EXAMPLES = "docs", "examples"
MAX_DOCS = 3_000
POINTS_AT_ONCE = 500


def fill(url: str, read: Callable[[], Library] = read_library) -> int:
    """Create and fill the collections, unless they exist. Return the number of points of `docs`."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs a line for each request
    client = QdrantClient(url=url, check_compatibility=False, timeout=60)
    try:
        # The smaller one comes last: if it exists, the other is complete.
        if not client.collection_exists(EXAMPLES):
            client.delete_collection(DOCS)
            library = read()
            dense = models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)
            sparse = {"words": models.SparseVectorParams()}
            client.create_collection(DOCS, vectors_config={"text": dense}, sparse_vectors_config=sparse)
            _upsert(client, DOCS, _docs(library))
            client.create_payload_index(DOCS, "kind", models.PayloadSchemaType.KEYWORD)
            client.create_collection(EXAMPLES, vectors_config=dense)
            _upsert(client, EXAMPLES, _examples(library))
        return client.count(DOCS).count
    finally:
        client.close()


def _docs(library: Library) -> Iterator[models.PointStruct]:
    docs = library.docs[:MAX_DOCS]
    vectors = embed([f"{doc.name} {doc.text}" for doc in docs])
    for number, (doc, vector) in enumerate(zip(docs, vectors, strict=True), start=1):
        payload: dict[str, Any] = {
            "module": doc.module,
            "name": doc.name,
            "kind": doc.kind.value,
            "text": doc.text,
            "length": len(doc.text),
            "tags": doc.tags,
            "meta": doc.meta,
            "changed_on": doc.changed_on.isoformat(),
        }
        # Records without a schema often leave out a key that has no value, instead of storing null.
        if doc.signature is not None:
            payload["signature"] = doc.signature
        words = word_weights(doc.text)
        sparse = models.SparseVector(indices=list(words), values=list(words.values()))
        yield models.PointStruct(
            id=number, vector={"text": vector.tolist(), "words": sparse}, payload=payload
        )


def _examples(library: Library) -> Iterator[models.PointStruct]:
    vectors = embed([f"{example.typed} {example.answer}" for example in library.examples])
    for example, vector in zip(library.examples, vectors, strict=True):
        point_id = str(uuid5(NAMESPACE_URL, f"{example.module}:{example.line}"))
        payload = {
            "module": example.module,
            "line": example.line,
            "typed": example.typed,
            "answer": example.answer,
        }
        yield models.PointStruct(id=point_id, vector=vector.tolist(), payload=payload)


def _upsert(client: QdrantClient, name: str, points: Iterator[models.PointStruct]) -> None:
    while batch := list(islice(points, POINTS_AT_ONCE)):
        client.upsert(name, batch)
