"""Qdrant in the wizard: its points are migrated by clicks, with keys of the payload made fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from pymilvus import DataType
from qdrant_client import models

from tests.e2e.milvus import client_of, types
from tests.e2e.person import Person
from tests.emulators.qdrant import QdrantEmulator, QdrantProcess

pytestmark = pytest.mark.engine

ROWS = 300
MADE_FIELDS = {"price": DataType.DOUBLE, "year": DataType.INT64}


@pytest.fixture(scope="module")
def shop(qdrant_process: QdrantProcess) -> Iterator[QdrantEmulator]:
    """A Qdrant server with products, and with an empty collection of drafts."""
    with qdrant_process.open(api_key="a secret key") as server:
        with server.client() as client:
            vectors = models.VectorParams(size=4, distance=models.Distance.DOT)
            for name in ("products", "drafts"):
                client.create_collection(name, vectors_config=vectors)
            points = [
                models.PointStruct(id=_id(n), vector=[n, 0.5, -1, 0], payload=_payload(n))
                for n in range(ROWS)
            ]
            client.upsert("products", points)
        yield server


def _id(number: int) -> int | str:
    return number if number % 2 else f"3f2504e0-4f89-41d3-9a0c-{number:012d}"


def _payload(number: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "price": number / 4,
        "year": 2**53 + number,
        "title": f"Prodükt {number} 🦊",
        "a.b $c": {"json": '{"a": 1}', "null": None, "whole": 1.0, "empty": [[], {}, ""]},
        "null": None,
    }
    if number % 3 == 0:
        del found["price"]
    if number % 5 == 0:
        found["year"] = None
    return found


def test_points_are_migrated_by_clicks_with_two_keys_as_fields(
    worker, ada: Person, shop: QdrantEmulator, vault: str, milvus_lite_uri: str, unique: str
):
    name = f"products_{unique}"
    second = ada.page.get_by_label("Sources").get_by_role("listitem").nth(1)
    expect(second.locator("strong")).to_have_text("Qdrant")
    second.get_by_role("link").click()
    ada.sees("Connect to Qdrant")
    ada.field("Name").fill("shop")
    ada.field("Address").fill(shop.url)
    ada.field("API key").fill("another key")
    ada.page.get_by_text("Advanced settings").click()
    ada.field("gRPC port").fill(str(shop.grpc_port))
    ada.press("Next")
    expect(ada.page.locator(".field-grid > div", has=ada.field("API key"))).to_contain_text("API key")
    ada.field("API key").fill(shop.api_key)
    ada.press("Next")

    ada.sees("Select source and target")
    expect(ada.field("drafts")).to_be_disabled()
    ada.choose("products", target=vault)
    facts = ada.page.locator("#warnings .panel:not(.panel-warn)")
    expect(facts).to_contain_text(f"Points are read by gRPC, port {shop.grpc_port}.")
    ada.name_target(name)
    for key in MADE_FIELDS:
        ada.page.get_by_label(f"Include of payload.{key}", exact=True).check()
        expect(ada.page.get_by_label(f"Target of payload.{key}", exact=True)).to_have_value(key)
        ada.waits_until_page_is_ready()
    ada.continue_to_migrate()
    expect(ada.page.locator("#checks")).not_to_contain_text("Points are read")
    ada.field("Create indexes").check()
    ada.field("Load collections for search").check()
    ada.migrate()
    ada.waits_for("Successful")
    expect(ada.page.get_by_text(f"{ROWS} = {ROWS}")).to_be_visible()
    assert shop.api_key not in ada.page.content()

    with client_of(milvus_lite_uri) as target, shop.client() as source:
        arrived = types(target, name)
        assert {key: arrived[key] for key in MADE_FIELDS} == MADE_FIELDS
        rows = target.query(name, output_fields=["*"], limit=ROWS, consistency_level="Strong")
        records = source.scroll("products", limit=ROWS, with_vectors=True)[0]
        found = {row["id"]: json.dumps(row, sort_keys=True) for row in rows}
        expected = [
            {"id": str(record.id), "vector": record.vector, "price": None, **(record.payload or {})}
            for record in records
        ]
        assert found == {row["id"]: json.dumps(row, sort_keys=True) for row in expected}
        target.drop_collection(name)
