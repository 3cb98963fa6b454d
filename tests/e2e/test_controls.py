"""Every kind of control that a source's models can have: filled in by clicks, and received by the source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from migrations_app.engine.sources.registry import SOURCES, SourceEntry
from migrations_app.models import Connection
from tests.e2e.milvus import client_of, count
from tests.e2e.person import Person
from tests.kit.certificates import Certificate
from tests.kit.form_source import FormSource

pytestmark = pytest.mark.engine

DOTTED = "tests.kit.form_source:FormSource"


@pytest.fixture(scope="module")
def archive() -> Iterator[None]:
    """The form source, also in the processes that this module starts later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES, "forms", SourceEntry("forms", "Archive", "Articles in memory.", DOTTED))
        patch.setenv("VECTORFERRY_TEST_SOURCE", f"forms={DOTTED}")
        yield


@pytest.fixture(scope="module")
def certificate() -> str:
    return Certificate.authority("archive").pem.strip()


def test_every_kind_of_control_reaches_the_source(
    archive, worker, ada, vault, certificate, milvus_lite_uri, unique, monkeypatch
):
    monkeypatch.setattr(FormSource, "failures", ["The archive is busy."])
    ada.page.goto("/migrations/new/forms/")
    connect(ada, certificate)
    select(ada, vault)
    configure(ada, f"articles_{unique}")
    ada.continue_to_migrate()
    expect(ada.page.locator("#moved")).to_contain_text("namespaces “”, “ padded ”, ns_010 and 9 more")
    expect(ada.page.locator("#moved")).to_contain_text("dates as ISO 8601")
    ada.migrate()
    ada.waits_for("Successful")

    stored = Connection.objects.get(kind="forms").settings
    assert stored["ca_cert"] == stored["client_key"] == certificate
    with client_of(milvus_lite_uri) as client:
        assert count(client, f"articles_{unique}") == 40 + 7 + sum(1 + n % 9 for n in range(10, 20))
        [row] = client.query(
            f"articles_{unique}", "id == 41", output_fields=["received", "namespace", "score"]
        )
        client.drop_collection(f"articles_{unique}")
    assert (row["namespace"], row["score"]) == (" padded ", 41.0)
    received = json.loads(row["received"])
    assert {**received["settings"], "ca_cert": "", "client_key": ""} == {
        "address": "archive.example",
        "port": 6001,
        "timeout": 1.5,
        "token": len("s3cret"),
        "region": "as",
        "verify_tls": False,
        "protocols": ["grpc"],
        "mirrors": ["a.example", "b.example"],
        "ca_cert": "",
        "client_key": "",
    }
    assert received["select"] == {
        "namespaces": ["", " padded ", *(f"ns_{number:03}" for number in range(10, 20))],
        "condition": "year > 1900\nand year < 2000",
        "order": "newest",
        "at_least": 50,
        "with_drafts": True,
    }
    assert received["source_options"] == {
        "dates": "iso",
        "with_scores": True,
        "factor": 2.5,
        "languages": ["de", "fr"],
        "stop_words": ["the", "a"],
        "script": "lower(text)",
    }


def connect(ada: Person, certificate: str) -> None:
    ada.sees("Connect to Archive")
    ada.field("Address").fill("archive.example")
    ada.field("Port").fill("70000")
    ada.field("Timeout in seconds").fill("much")
    ada.field("Token").fill("s3cret")
    ada.field("Region").select_option(label="Asia")
    ada.field("Verify the certificate").uncheck()
    ada.page.get_by_role("group", name="Protocols").get_by_label("gRPC").check()
    ada.field("Mirrors").fill("a.example\n\n b.example ")
    ada.page.get_by_text("Advanced settings").click()
    upload, text = ada.page.get_by_label("Read a file… for CA certificate"), ada.field("CA certificate")
    ca = ada.page.locator(".file-text", has=text)
    upload.set_input_files({"name": "ca.der", "mimeType": "", "buffer": b"\x30\x82\xff\xfe"})
    expect(ca.get_by_role("alert")).to_contain_text("“ca.der” is not a text file.")
    upload.set_input_files({"name": "big.pem", "mimeType": "", "buffer": b"-" * 100_001})
    expect(ca.get_by_role("alert")).to_have_text("“big.pem” is larger than 100 KB.")
    upload.set_input_files({"name": "ca.pem", "mimeType": "", "buffer": certificate.encode()})
    expect(text).to_have_value(certificate)
    expect(ca.get_by_role("alert")).to_have_text("")
    ada.field("Client key").fill("not PEM")
    ada.press("Next")
    for label, words in {
        "Port": "65535 or less",
        "Timeout in seconds": "must be a number",
        "Client key": "not PEM text",
    }.items():
        expect(ada.page.locator(".field-grid > div", has=ada.field(label))).to_contain_text(words)
    ada.waits_until_page_is_ready()
    expect(text).to_have_value(re.compile("BEGIN CERTIFICATE"))
    ada.field("Port").fill("6001")
    ada.field("Timeout in seconds").fill("1.5")
    ada.field("Client key").fill(certificate)
    ada.press("Next")


def select(ada: Person, vault: str) -> None:
    ada.sees("Select source and target")
    articles = ada.page.locator("tr:has(#c1) + tr")
    expect(articles.get_by_text("Asking the source…")).to_be_hidden()
    ada.field("articles").check()
    expect(articles.get_by_role("alert")).to_contain_text("The archive is busy.")
    articles.get_by_role("button", name="Try again").click()
    expect(articles.get_by_text("0 of 182 chosen")).to_be_visible()
    expect(articles.get_by_label("ns_179 9 rows")).to_be_attached()
    articles.get_by_label("Filter namespaces").fill("ns_01")
    expect(articles.get_by_label("ns_179 9 rows")).to_be_hidden()
    expect(ada.field("letters")).to_be_visible()
    articles.get_by_label("All shown").check()
    expect(articles.get_by_text("10 of 182 chosen")).to_be_visible()
    articles.get_by_label("Filter namespaces").fill("")
    for namespace in ("default namespace 40 rows", "padded 7 rows"):
        articles.get_by_label(namespace).check()
    ada.field("Condition of articles").fill("year > 1900\nand year < 2000")
    ada.field("Order of articles").select_option("newest")
    ada.field("Least score of articles").fill("101")
    ada.field("With drafts of articles").check()
    ada.field("Connection").select_option(label=vault)
    ada.press("Next")
    expect(articles).to_contain_text("must be 100 or less")
    expect(articles.get_by_text("12 of 182 chosen")).to_be_visible()
    ada.field("Least score of articles").fill("50")
    ada.press("Next")


def configure(ada: Person, target: str) -> None:
    ada.sees("Configure schema")
    ada.name_target(target)
    options = ada.page.locator("#source-options")
    expect(ada.page.get_by_label("Target of score")).to_have_count(0)
    ada.field("With scores").check()
    expect(ada.page.get_by_label("Target of score")).to_have_value("score")
    ada.field("Dates").select_option(label="as ISO 8601")
    ada.waits_until_page_is_ready()
    for label, typed, words in (("Factor", "11", "10 or less"), ("Script", "fail", "fails in line 1")):
        ada.field(label).fill(typed)
        ada.field(label).blur()
        expect(options.locator("div:has(> .problems)", has=ada.field(label))).to_contain_text(words)
        expect(ada.field(label)).to_have_value(typed)
    for label, typed in {"Factor": "2.5", "Script": "lower(text)", "Stop words": "the\na"}.items():
        ada.field(label).fill(typed)
        ada.field(label).blur()
        ada.waits_until_page_is_ready()
    for language in ("de", "fr"):
        options.get_by_role("group", name="Languages").get_by_label(language).check()
        ada.waits_until_page_is_ready()
    expect(options.locator(".problem")).to_have_count(0)
    expect(ada.field("Target collection")).to_have_value(target)
