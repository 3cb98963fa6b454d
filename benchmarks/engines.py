"""Engines: the real PostgreSQL and Milvus of a benchmark, in a temporary folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from migrations_app.demo.engines import EmbeddedMilvus, EmbeddedPostgres, EmbeddedQdrant

LAST_PROCESSOR = (os.cpu_count() or 1) - 1
RUNNING_MILVUS = "VECTORFERRY_TEST_MILVUS_URI"


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    server = EmbeddedPostgres(folder)
    server.start()
    try:
        yield server.url()
    finally:
        server.stop()


@contextmanager
def qdrant(folder: Path, cache_mb: int) -> Iterator[EmbeddedQdrant]:
    """Yield a Qdrant server that answers the same question again from its cache, so that its own work does
    not count."""
    server = EmbeddedQdrant(folder, cache_mb)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def milvus_lite(folder: Path) -> Iterator[str]:
    server = EmbeddedMilvus(folder)
    server.start()
    try:
        yield server.uri
    finally:
        server.stop()


@contextmanager
def milvus_standalone(folder: Path) -> Iterator[str]:
    """Yield the address of a Milvus 2.3.5.

    It is the running one that VECTORFERRY_TEST_MILVUS_URI names, or a new one from the wheel.
    """
    if running := os.environ.get(RUNNING_MILVUS):
        yield running
        return
    from milvus import MilvusServer

    server = MilvusServer()
    server.set_base_dir(str(folder))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.listen_port}"
    finally:
        server.stop()


@contextmanager
def on_the_last_processor(apart: bool) -> Iterator[None]:
    """Pin processes that start inside this block to the machine's last processor, and processes that start
    later to the others (Linux, two or more processors). Does nothing unless ``apart``."""
    if not apart:
        yield
        return
    processors = os.sched_getaffinity(0) | {LAST_PROCESSOR}
    os.sched_setaffinity(0, {LAST_PROCESSOR})
    yield
    os.sched_setaffinity(0, processors - {LAST_PROCESSOR})


def has_standalone() -> bool:
    return RUNNING_MILVUS in os.environ or find_spec("milvus") is not None
