"""Help: the documents as pages with working links, the guide's parts for each page, terms and the version."""

import re
import tomllib
from urllib.parse import urldefrag

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import get_resolver, reverse

from console.help import pages, topics
from console.help.markdown import anchor_of, render
from console.help.terms import OF_FIELDS, TERMS
from migrations_app import endpoints
from migrations_app.engine.sources.registry import SOURCES

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))


def links(html: str) -> set[str]:
    return {link for link in re.findall(r'(?:href|src)="([^"]*)"', html) if "://" not in link}


def ids(html: str) -> set[str]:
    return set(re.findall(r'id="([^"]*)"', html))


def test_every_document_is_a_page_for_every_user(viewer_web: Client) -> None:
    names = {path.stem for path in (settings.BASE_DIR / "docs").glob("*.md")} | {"security", "changelog"}
    assert set(pages.paths()) == names
    for name, title in pages.titles().items():
        answer = viewer_web.get(pages.address(name))
        assert answer.status_code == 200
        assert f"<h1>{title}</h1>" in answer.text
        assert {pages.address(other) for other in names} <= links(answer.text)
    assert viewer_web.get("/help/missing/").status_code == 404


def test_every_link_of_a_document_leads_to_a_page_a_heading_or_a_picture() -> None:
    html = {pages.address(name): pages.document(name).html for name in pages.paths()}
    for address, text in html.items():
        for link in links(text):
            target, anchor = urldefrag(link)
            if target.startswith(settings.STATIC_URL):
                assert finders.find(target.removeprefix(settings.STATIC_URL)), (address, link)
            else:
                assert anchor in ids(html[target or address]) | {""}, (address, link)


def test_the_table_of_contents_leads_to_the_headings() -> None:
    document = render("# Title\n\n## `if_exists`: a choice\n\n### Two\n\n## Two\n", lambda link: link)
    assert document.title == "Title"
    assert [(h.level, h.text, h.anchor) for h in document.headings] == [
        (2, "if_exists: a choice", "if_exists-a-choice"),
        (3, "Two", "two"),
        (2, "Two", "two-1"),
    ]
    assert {h.anchor for h in document.headings} <= ids(document.html)
    assert anchor_of("JSON columns, key by key") == "json-columns-key-by-key"


def test_html_in_a_document_is_shown_as_text() -> None:
    assert "<script>" not in render("<script>alert(1)</script>", lambda link: link).html


def test_every_page_has_a_part_of_the_guide() -> None:
    anchors = ids(pages.document(pages.GUIDE).html)
    assert set(topics.TOPICS.values()) <= anchors
    without = {"help", "help_page", "help_terms", "healthz", "login", "logout", "import"}
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    assert {name for name in names if not topics.topic(name)} <= without


def test_a_page_links_to_its_part_of_the_guide_and_shows_the_version(web: Client, ready: object) -> None:
    version = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
    page = web.get(reverse("wizard_schema", args=[ready.pk])).text
    assert 'href="/help/#configure-schema"' in page
    assert f'rail-version">{version}<' in page


def test_every_term_that_a_template_explains_exists() -> None:
    used = {key for path in TEMPLATES for key in re.findall(r'{% term "(\w+)"', path.read_text())}
    assert len(used) > 10
    assert used | set(OF_FIELDS.values()) <= set(TERMS)


def test_every_term_that_a_connector_names_exists() -> None:
    models = [entry.load().Settings for entry in SOURCES.values()]
    models += [target.Settings for target in endpoints.TARGETS.values()]
    extras = [info.json_schema_extra or {} for model in models for info in model.model_fields.values()]
    named = {extra["term"] for extra in extras if "term" in extra}
    assert named
    assert named <= set(TERMS)


@pytest.mark.parametrize("step", ["wizard_connect", "wizard_select", "wizard_schema", "wizard_migrate"])
def test_no_step_has_two_explanations_with_the_same_id(web: Client, ready: object, step: str) -> None:
    page = web.get(reverse(step, args=[ready.pk])).text
    shown = re.findall(r'id="(term-[^"]+)"', page)
    assert shown
    assert len(shown) == len(set(shown))
    assert set(re.findall(r'popovertarget="([^"]+)"', page)) == set(shown)
