"""Health check and middleware: /healthz, security headers, required login, NUL characters, static files."""

import brotli
import pytest
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles import finders
from django.db import connection
from django.http import JsonResponse
from django.test import Client
from django.urls import path

from console import health, static_files


@pytest.mark.django_db
def test_healthz_needs_no_login_and_reports_that_the_database_answers(client: Client):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok"}


@pytest.mark.django_db
def test_healthz_fails_while_the_database_does_not_answer(client: Client):
    def broken(execute, sql, params, many, context):
        from django.db import OperationalError

        raise OperationalError("the disk is gone")

    with connection.execute_wrapper(broken):
        answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"


def test_healthz_cannot_be_posted_to(client: Client):
    assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
def test_every_answer_forbids_inline_code_foreign_hosts_and_frames(client: Client):
    policy = client.get("/healthz").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def unmarked(request):
    raise AssertionError("reached without a login")


@login_not_required
def echo(request, word):
    return JsonResponse([word, dict(request.GET.lists()), dict(request.POST.lists())], safe=False)


urlpatterns = [
    path("secret", unmarked),
    path("login/", health.healthz, name="login"),
    path("echo/<word>", echo),
]


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_a_page_requires_a_login_by_default(client: Client):
    answer = client.get("/secret")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login/?next=/secret"


@pytest.mark.urls(__name__)
def test_a_nul_character_which_postgresql_cannot_store_arrives_as_the_replacement_character(client: Client):
    answer = client.post("/echo/a%00b?q=%00&plain=1", {"typed": ["x", "\0y"], "\0": "z"})
    assert answer.json() == [
        "a\ufffdb",
        {"q": ["\ufffd"], "plain": ["1"]},
        {"typed": ["x", "\ufffdy"], "\ufffd": ["z"]},
    ]


@pytest.mark.django_db
def test_static_files_are_served_from_the_checkout_with_debug_off(client: Client, settings):
    assert settings.DEBUG is False
    names = [name for finder in finders.get_finders() for name, _ in finder.list([]) if name.endswith(".css")]
    answer = client.get(settings.STATIC_URL + names[0])
    assert answer.status_code == 200
    assert "immutable" in answer["Cache-Control"]
    assert b"".join(answer)
    answer.close()


def test_static_files_are_compressed_once_and_again_after_an_update(tmp_path, settings, monkeypatch):
    style, made = tmp_path / "here" / "a.css", tmp_path / "made"
    style.parent.mkdir()
    settings.STATICFILES_DIRS = [style.parent]
    monkeypatch.setattr(finders, "get_finders", lambda: [finders.FileSystemFinder()])
    made.mkdir()
    (made / "mine.txt").touch()
    one, two = "0" * 8, "f" * 8
    for version, text in ((one, "p { top: 0 }" * 50), (one, "unseen"), (two, "p { top: 1px }" * 50)):
        style.write_text(text)
        folder = static_files.compress(made, version)
        assert (folder / "a.css").read_text() == text or text == "unseen"
        assert brotli.decompress((folder / "a.css.br").read_bytes()) == (folder / "a.css").read_bytes()
    assert {path.name for path in made.iterdir()} == {two, "mine.txt"}
    assert static_files.compress(style / "not a folder", one) is None


@pytest.mark.django_db
def test_pages_are_compressed(client: Client):
    answer = client.get("/login/", headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
