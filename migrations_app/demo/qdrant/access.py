"""Access by API key: read and write, or read only. A token (JWT) may narrow it to some collections."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from migrations_app.demo.qdrant.refusals import Kind, Refusal

NO_KEY = "Must provide an API key or an Authorization bearer token"
WRONG_KEY = "Invalid API key or JWT"


@dataclass(frozen=True)
class Access:
    """``everywhere`` is "m" (manage), "r" (read) or "": then only the listed collections, with "r" or
    "rw"."""

    everywhere: str = "m"
    collections: Mapping[str, str] | None = None

    def check(self, need: str, collection: str | None) -> None:
        """Raise the refusal if a request that needs "r", "rw" or "m" is not allowed. "l" is a list: each sees
        what it may read."""
        if self.everywhere == "m" or need == "l":
            return
        if self.everywhere == "r":
            if need != "r":
                raise Refusal(Kind.FORBIDDEN, "Global manage access is required")
            return
        if collection is None:
            raise Refusal(Kind.FORBIDDEN, "Global access is required")
        given = (self.collections or {}).get(collection)
        if given is None:
            raise Refusal(Kind.FORBIDDEN, f"Access to collection {collection} is required")
        if need == "m":
            raise Refusal(Kind.FORBIDDEN, "Manage access for this operation is required")
        if need == "rw" and given == "r":
            raise Refusal(Kind.FORBIDDEN, f"Write access to collection {collection} is required")

    def may_list(self, collection: str) -> bool:
        return bool(self.everywhere) or collection in (self.collections or {})


@dataclass(frozen=True)
class Keys:
    """No key at all means that everybody may do everything. ``has_tokens``: tokens signed with the key
    count."""

    api_key: str = ""
    read_only: str = ""
    has_tokens: bool = True

    def access(self, headers: Mapping[str, str]) -> Access:
        if not (self.api_key or self.read_only):
            return Access()
        sent = headers.get("api-key")
        if sent is None and headers.get("authorization", "").startswith("Bearer "):
            sent = headers["authorization"].removeprefix("Bearer ")
        if sent is None:
            raise Refusal(Kind.UNAUTHORIZED, NO_KEY)
        for key, everywhere in ((self.api_key, "m"), (self.read_only, "r")):
            if key and hmac.compare_digest(key.encode(), sent.encode()):
                return Access(everywhere)
        if self.has_tokens and self.api_key and sent.count(".") == 2:
            return _token_access(sent, self.api_key)
        raise Refusal(Kind.UNAUTHORIZED, WRONG_KEY)


def token(key: str, claims: dict[str, Any]) -> str:
    """A token that a server with this key accepts, such as ``{"access": "r"}``."""
    head = _encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
    return f"{signed}.{_encoded(_signature(key, signed))}"


def _token_access(sent: str, key: str) -> Access:
    signed, _, signature = sent.rpartition(".")
    if not hmac.compare_digest(_encoded(_signature(key, signed)), signature):
        raise Refusal(Kind.NO_ACCESS, "InvalidSignature")
    body = signed.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if claims.get("exp", time.time()) < time.time() - 30:
        raise Refusal(Kind.NO_ACCESS, "ExpiredSignature")
    access = claims.get("access", "m")
    if isinstance(access, str):
        return Access(access)
    return Access("", {each["collection"]: each["access"] for each in access})


def _signature(key: str, signed: str) -> bytes:
    return hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
