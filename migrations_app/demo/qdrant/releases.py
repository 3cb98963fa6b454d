"""Releases of Qdrant, as far as they differ for a client that reads.

The engine is that of the newest release. What an older one did differently is taken from its sources: the
server refuses what that release did not know, and fills in the fields that it filled in.
"""

from dataclasses import dataclass
from importlib.metadata import version as version_of_package

NEWEST = "1.19.0"


@dataclass(frozen=True)
class Release:
    version: str = NEWEST

    def title(self) -> dict[str, str]:
        """What the server says about itself; the commit shows that it is not the vendor's server."""
        return {
            "title": "qdrant - vector search engine",
            "version": self.version,
            "commit": f"qdrant-edge-py {version_of_package('qdrant-edge-py')}",
        }

    def is_since(self, minor: int) -> bool:
        return tuple(int(part) for part in self.version.split(".")[:2]) >= (1, minor)

    @property
    def has_exists(self) -> bool:
        return self.is_since(8)

    @property
    def omits_what_was_not_asked(self) -> bool:
        """A record without payload or vector lacks the key; before, its value is null."""
        return self.is_since(10)

    @property
    def has_query(self) -> bool:
        return self.is_since(10)

    @property
    def has_random_sample(self) -> bool:
        return self.is_since(11)

    @property
    def has_vector_filter(self) -> bool:
        return self.is_since(13)

    @property
    def drops_unknown_conditions(self) -> bool:
        """gRPC ignores conditions of a kind that the release does not know; before, it refused them."""
        return self.is_since(13)

    @property
    def has_strict_mode(self) -> bool:
        return self.is_since(13)

    @property
    def counts_vectors(self) -> bool:
        return not self.is_since(16)

    @property
    def has_typed_vectors(self) -> bool:
        """gRPC answers with ``dense``, ``sparse`` and ``multi_dense``; before, with ``data`` and
        ``indices``."""
        return self.is_since(17)

    @property
    def lists_shard_keys(self) -> bool:
        return self.is_since(17)

    @property
    def has_slices(self) -> bool:
        return self.is_since(19)
