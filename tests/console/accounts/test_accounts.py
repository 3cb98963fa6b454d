"""Accounts: login, roles, and the pages that manage accounts."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.console.conftest import PASSWORD


def test_every_page_asks_for_a_login(client: Client, db: None) -> None:
    for name in ("migrations", "jobs", "connections", "accounts", "password_change"):
        response = client.get(reverse(name))
        assert response.status_code == 302, name
        assert response["Location"].startswith(reverse("login"))


def test_a_person_logs_in_and_lands_on_the_page_asked_for(client: Client, administrator: User) -> None:
    login = reverse("login") + "?next=" + reverse("connections")
    page = client.get(login)
    assert page.status_code == 200
    credentials = {"username": "ada", "password": PASSWORD, "next": reverse("connections")}
    assert client.post(login, credentials)["Location"] == reverse("connections")


def test_a_wrong_password_is_refused_with_a_sentence(client: Client, administrator: User) -> None:
    page = client.post(reverse("login"), {"username": "ada", "password": "wrong"})
    assert page.status_code == 200
    assert "Please enter a correct username and password" in page.content.decode()


def test_logging_out_needs_a_post(web: Client) -> None:
    assert web.get(reverse("logout")).status_code == 405
    assert web.post(reverse("logout"))["Location"] == reverse("login")
    assert web.get(reverse("migrations")).status_code == 302


def test_a_viewer_is_refused_with_a_sentence_on_pages_for_administrators(viewer_web: Client) -> None:
    for name in ("accounts", "account_new", "connections"):
        page = viewer_web.get(reverse(name))
        assert page.status_code == 403, name
        assert "Only an administrator can do this." in page.content.decode()


def test_an_administrator_adds_an_account_that_can_log_in(web: Client, client: Client) -> None:
    data = {"username": "zoe", "role": "viewer", "password": "long and unguessable"}
    assert web.post(reverse("account_new"), data)["Location"] == reverse("accounts")
    assert not User.objects.get(username="zoe").is_staff
    assert client.login(username="zoe", password="long and unguessable")
    assert "zoe" in web.get(reverse("accounts")).content.decode()


@pytest.mark.parametrize("password", ["", "short", "password", "1234567"])
def test_a_weak_password_is_refused_on_its_field(web: Client, password: str) -> None:
    page = web.post(reverse("account_new"), {"username": "zoe", "role": "viewer", "password": password})
    assert page.status_code == 422
    assert page.context["form"].errors["password"]
    assert not User.objects.filter(username="zoe").exists()


def test_a_name_that_is_taken_is_refused_on_its_field(web: Client) -> None:
    data = {"username": "ada", "role": "viewer", "password": "long and unguessable"}
    assert web.post(reverse("account_new"), data).context["form"].errors["username"]


def edit(web: Client, user: User, **data: str) -> object:
    defaults = {"username": user.username, "role": "viewer", "is_active": "on", "password": ""}
    return web.post(reverse("account_edit", args=[user.pk]), defaults | data)


def test_a_changed_role_with_an_empty_password_keeps_the_password(web: Client, viewer: User) -> None:
    edit(web, viewer, role="administrator")
    viewer.refresh_from_db()
    assert viewer.is_staff
    assert viewer.check_password(PASSWORD)


def test_an_account_that_is_switched_off_is_logged_out(web: Client, viewer: User, viewer_web: Client) -> None:
    edit(web, viewer, is_active="")
    assert viewer_web.get(reverse("migrations")).status_code == 302


def test_an_administrator_can_reset_a_password(web: Client, viewer: User, client: Client) -> None:
    edit(web, viewer, password="quite another secret")
    assert client.login(username="vic", password="quite another secret")


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"role": "administrator", "is_active": ""}])
def test_the_last_administrator_cannot_be_removed(
    web: Client, administrator: User, change: dict[str, str]
) -> None:
    page = edit(web, administrator, **change)
    assert page.status_code == 422
    assert "last administrator" in page.content.decode()
    administrator.refresh_from_db()
    assert administrator.is_staff
    assert administrator.is_active


def test_one_of_two_administrators_may_step_down(web: Client, administrator: User) -> None:
    User.objects.create_user("bob", password=PASSWORD, is_staff=True)
    edit(web, administrator, role="viewer")
    administrator.refresh_from_db()
    assert not administrator.is_staff


def test_an_administrator_who_changes_their_own_password_stays_logged_in(
    web: Client, administrator: User
) -> None:
    edit(web, administrator, role="administrator", password="quite another secret")
    assert web.get(reverse("accounts")).status_code == 200


def test_a_viewer_can_change_their_own_password(viewer_web: Client, viewer: User) -> None:
    new = "quite another secret"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert viewer_web.post(reverse("password_change"), data).status_code == 302
    viewer.refresh_from_db()
    assert viewer.check_password(new)


@pytest.mark.parametrize("pk", [0, 424242, 2**63, 10**40])
def test_an_unknown_account_is_not_found(web: Client, pk: int) -> None:
    assert web.get(f"/accounts/{pk}/").status_code == 404


def test_a_role_that_does_not_exist_is_refused(web: Client, viewer: User) -> None:
    assert edit(web, viewer, role="emperor").context["form"].errors["role"]
