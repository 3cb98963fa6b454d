"""The real engines a benchmark runs on, in a folder that is thrown away."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from migrations_app.demo.engines import EmbeddedMilvus, EmbeddedPostgres

LAST = (os.cpu_count() or 1) - 1
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
def milvus_lite(folder: Path) -> Iterator[str]:
    server = EmbeddedMilvus(folder)
    server.start()
    try:
        yield server.uri
    finally:
        server.stop()


@contextmanager
def milvus_standalone(folder: Path) -> Iterator[str]:
    """Milvus 2.3.5 from the wheel: the one that VECTORFERRY_TEST_MILVUS_URI names, or one of our own."""
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
    """Whatever is started inside has the machine's last processor to itself, and whatever is started later
    the others (Linux, two processors or more). Nothing of this unless ``apart``."""
    if not apart:
        yield
        return
    everywhere = os.sched_getaffinity(0) | {LAST}
    os.sched_setaffinity(0, {LAST})
    yield
    os.sched_setaffinity(0, everywhere - {LAST})


def has_standalone() -> bool:
    return RUNNING_MILVUS in os.environ or find_spec("milvus") is not None
