"""Open a plan file: it becomes a draft, or its faults are shown with their lines."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from migrations_app.models import Draft, Job
from migrations_app.plan_file import line_of
from tests.console.wizard_helpers import collection, field, url

pytestmark = [pytest.mark.database, pytest.mark.django_db]

PLAN = """\
version: 1
source: {connection: shelf}
target: {connection: vault}
options:
  max_rejected: 7
collections:
- source: books
  target: library
  key: id
  fields:
  - {source: embedding}
  - {source: title, target: name, type: VARCHAR, max_length: 300}
"""


def send(web, text: str | bytes, name: str = "plan.yaml") -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return web.post(reverse("wizard_open"), {"plan": SimpleUploadedFile(name, data)})


@pytest.fixture
def no_draft(connected):
    connected.delete()


def test_a_plan_file_opens_as_a_draft_on_configure_schema(web, no_draft, target):
    assert reverse("wizard_open") in web.get(reverse("migrations")).content.decode()
    answer = send(web, PLAN)
    draft = Draft.objects.get()
    assert answer.url == url("schema", draft)
    assert collection(draft)["target"] == "library"
    assert [f["source"] for f in collection(draft)["fields"]] == ["id", "embedding", "title"]
    assert field(draft, "title")["target"] == "name"
    assert field(draft, "title")["max_length"] == 300
    assert web.get(url("migrate", draft)).context["form"]["max_rejected"].value() == 7
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "name", ["postgresql://u:s3cr3t@db/shop", "postgres://u:s3cr3t pw@db/shop", "host=db password=s3cr3t"]
)
def test_a_connection_string_as_the_name_of_a_connection_is_not_stored(web, no_draft, name):
    page = send(web, PLAN.replace("vault", f'"{name}"'))
    assert page.status_code == 422
    assert "s3cr3t" not in page.content.decode()
    assert not Draft.objects.exists()


def test_connections_that_do_not_exist_here_are_chosen(web, no_draft, target, source_store):
    answer = send(web, PLAN.replace("vault", "production"))
    draft = Draft.objects.get()
    assert answer.url == reverse("wizard_opened", args=[draft.pk])
    page = web.get(answer.url)
    assert "The plan names the connection “production”." in page.content.decode()
    assert page.context["form"]["source"].value() == draft.source_connection.pk
    done = web.post(answer.url, {"source": draft.source_connection.pk, "target": target.pk})
    assert done.url == url("schema", draft)
    assert collection(draft)["target"] == "library"


def test_a_plan_whose_source_is_unknown_gets_the_kind_of_the_chosen_one(web, no_draft, target):
    answer = send(web, PLAN.replace("shelf", "elsewhere"))
    assert Draft.objects.get().kind == ""
    assert web.get(reverse("migrations")).status_code == 200
    form = web.get(answer.url).context["form"]
    (source,) = form.fields["source"].queryset
    web.post(answer.url, {"source": source.pk, "target": target.pk})
    assert Draft.objects.get().kind == "memory"


def test_settings_in_the_file_are_neither_read_nor_stored_nor_shown(web, no_draft, target, monkeypatch):
    monkeypatch.setenv("CONSOLE_SECRET", "xyzzy")
    settings = "{kind: memory, settings: {store: '${CONSOLE_SECRET}', password: hunter2}}"
    answer = send(web, PLAN.replace("{connection: shelf}", settings))
    draft = Draft.objects.get()
    page = web.get(answer.url).content.decode()
    assert "names no saved connection" in page
    for secret in ("hunter2", "xyzzy"):
        assert secret not in page + str(draft.state) + str(draft.plan)
    refused = send(web, PLAN.replace("library", "${CONSOLE_SECRET}")).content.decode()
    assert "xyzzy" not in refused
    assert "Line 8" in refused


def test_faults_are_shown_with_their_lines(web, no_draft):
    text = PLAN.replace("max_rejected: 7", "max_rejectd: 7").replace("max_length: 300", "max_length: many")
    answer = send(web, text)
    assert answer.status_code == 422
    assert [(f.line, f.path) for f in answer.context["faults"]] == [
        (5, "options.max_rejectd"),
        (12, "collections[0].fields[1].max_length"),
    ]
    assert "Line 12" in answer.content.decode()
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"version: [1", "not valid YAML in line 1"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"just text", "does not contain a plan"),
    ],
)
def test_what_is_no_plan_is_refused_in_words(web, no_draft, sent, words):
    answer = send(web, sent)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_no_file_and_viewers_are_refused(web, viewer_web, no_draft):
    assert "No file was chosen." in web.post(reverse("wizard_open")).content.decode()
    assert viewer_web.get(reverse("wizard_open")).status_code == 403
    assert send(viewer_web, PLAN).status_code == 403


def test_the_line_of_a_missing_key_is_that_of_its_block():
    assert line_of(PLAN, "collections[0].fields[0].type") == 11
    assert line_of(PLAN, "collections[4]") == 6
    assert line_of(PLAN, "") is None
