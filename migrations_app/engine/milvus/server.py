"""Server: the product, version and flavour of the server that answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pymilvus.grpc_gen import milvus_pb2
from pymilvus.grpc_gen.common_pb2 import ClientInfo

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import AuthRefused, FerryError, VersionUnsupported
from migrations_app.engine.identity import CollectionIdentity, places_of
from migrations_app.engine.interruptible import interruptible
from migrations_app.engine.milvus.diagnose import explain
from migrations_app.engine.milvus.errors import COLLECTION_MISSING, TRANSPORT_CODES
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.settings import MilvusSettings

Version = tuple[int, ...]
OLDEST: Version = (2, 3)
# Replaces missing parts of a version: "2.6" counts as its newest patch, "master-…" as the newest version.
NEWEST = 9999
CONNECT_SECONDS = 5.0
PRODUCTS = {"lite": "Milvus Lite", "milvus": "Milvus", "zilliz": "Zilliz Cloud"}


@dataclass(frozen=True, slots=True)
class Server:
    """A server. ``flavour`` is "lite", "milvus" or "zilliz". ``numbers`` is the version, empty if unknown.

    For Zilliz Cloud, it is the version of Milvus that the server reports to be compatible with.
    """

    flavour: str
    numbers: Version

    @property
    def product(self) -> str:
        return PRODUCTS[self.flavour]

    @property
    def version(self) -> str:
        return ".".join(map(str, self.numbers)) or "of unknown version"

    def has(self, since: Version) -> bool:
        """True if the server has this version or a later one. Missing parts count as the newest."""
        known = self.numbers + (NEWEST,) * (3 - len(self.numbers))
        return known >= since


def identify(reported: str, build: str, *, is_zilliz: bool) -> Server:
    """Return the server for the version from GetVersion and the build tags from Connect.

    Milvus Lite reports "milvus_lite-3.2.2", Milvus "v2.3.5" or "2.6-20260404-31fb3fc", the server of the
    ``milvus`` wheel (a whole standalone) "v2.3.5-lite". Zilliz Cloud reports a build without a version
    ("unknown-20260608-7ea6e3526"); its tags are "Zilliz Cloud Vector Database(Compatible with Milvus 2.6)".
    """
    if reported.startswith("milvus_lite"):
        return Server("lite", _numbers(reported))
    flavour = "zilliz" if is_zilliz or "zilliz" in build.lower() else "milvus"
    return Server(flavour, _numbers(reported) or _numbers(build))


def _numbers(words: str) -> Version:
    found = re.search(r"(?<!\d)\d+(?:\.\d+){1,2}", words)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def detect(rpc: Rpc, timeout_seconds: float) -> Server:
    """Identify a server. Raises ``VersionUnsupported`` before Milvus 2.3, because it cannot upsert."""
    version = rpc.call("GetVersion", milvus_pb2.GetVersionRequest(), "report its version", timeout_seconds)
    request = milvus_pb2.ConnectRequest(client_info=ClientInfo(sdk_type="Vectorferry"))
    build = rpc.call("Connect", request, "accept the connection", timeout_seconds).server_info.build_tags
    server = identify(version.version, build, is_zilliz=rpc.address.is_zilliz)
    if server.flavour != "lite" and not server.has(OLDEST):
        raise VersionUnsupported(
            f"{server.product} {server.version} is too old: 2.3 or later is needed.",
            "Upgrade it, or connect to another server.",
            field="uri",
        )
    return server


def connect(rpc: Rpc, settings: MilvusSettings, resolve: Resolve) -> Server:
    """Identify the server, and check that the login and the database are valid.

    Raises ``ConnectionFailed`` with the field at fault, or an error of the source or target of ``rpc``.
    """
    try:
        server = detect(rpc, CONNECT_SECONDS)
        collections(rpc)
    except AuthRefused as error:
        raise AuthRefused(
            f"{settings.address} rejected the login.", error.hint, field=settings.secret_field
        ) from None
    except FerryError as error:
        if error.code not in TRANSPORT_CODES:
            raise
        seen = error
        why = interruptible(
            lambda: explain(settings.address, resolve, settings.ca_cert, seen), rpc.stop().check
        )
        raise why from None
    return server


def collections(rpc: Rpc) -> tuple[str, ...]:
    """Return the names of the collections in the database."""
    request = milvus_pb2.ShowCollectionsRequest(db_name=rpc.database)
    answer = rpc.call("ShowCollections", request, f"list the collections of “{rpc.database}”")
    return tuple(sorted(answer.collection_names))


def identity_of(rpc: Rpc, collection: str, resolve: Resolve) -> CollectionIdentity | None:
    """Return the identity of a collection, None if there is none with this name or alias.

    Milvus numbers its collections by its clock, so the number and the time of creation are unique. Milvus
    Lite does not number them.
    """
    request = milvus_pb2.DescribeCollectionRequest(db_name=rpc.database, collection_name=collection)
    try:
        answer = rpc.call("DescribeCollection", request, f"describe “{collection}”")
    except FerryError as error:
        if error.code != COLLECTION_MISSING:
            raise
        return None
    name = answer.schema.name or answer.collection_name
    unique = f"{answer.collectionID}, {answer.created_timestamp}" if answer.collectionID else ""
    addresses = interruptible(lambda: resolve(rpc.address.host), rpc.stop().check)
    places = places_of(addresses, rpc.address.port)
    return CollectionIdentity(f"{rpc.database}.{name}", unique, places)
