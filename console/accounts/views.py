"""Views to log in and out and to change one's password; for administrators also the accounts of all users."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash, views
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse_lazy
from django.views.decorators.http import require_http_methods, require_safe

from console.accounts.form import AccountForm
from console.http import ConsoleRequest
from console.permissions import administrator_required


class PasswordChange(views.PasswordChangeView):
    success_url = reverse_lazy("migrations")

    def form_valid(self, form: object) -> HttpResponse:
        messages.success(self.request, "Your password was changed.")
        return super().form_valid(form)


@require_safe
@administrator_required
def accounts(request: ConsoleRequest) -> HttpResponse:
    rows = [
        {
            "id": user.pk,
            "username": user.username,
            "is_staff": user.is_staff,
            "is_active": user.is_active,
            "last_login": user.last_login,
            "is_self": user == request.user,
        }
        for user in User.objects.order_by("-is_active", "username")
    ]
    return render(request, "accounts/list.html", {"accounts": rows})


@require_http_methods(["GET", "POST"])
@administrator_required
def account_new(request: ConsoleRequest) -> HttpResponse:
    return _edit(request, None)


@require_http_methods(["GET", "POST"])
@administrator_required
def account_edit(request: ConsoleRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(User, pk=pk))


@transaction.atomic
def _edit(request: ConsoleRequest, user: User | None) -> HttpResponse:
    shown = user.username if user else ""
    form = AccountForm(request.POST if request.method == "POST" else None, instance=user)
    if form.is_valid():
        saved = form.save()
        if saved == request.user:  # a new password must not log out its own user
            update_session_auth_hash(request, saved)
        messages.success(request, f"The account “{saved.username}” was saved.")
        return redirect("accounts" if saved != request.user or saved.is_staff else "migrations")
    context = {"form": form, "account": user and {"id": user.pk, "username": shown}}
    return render(request, "accounts/form.html", context, status=422 if form.errors else 200)


urlpatterns = [
    path("login/", views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("password/", PasswordChange.as_view(), name="password_change"),
    path("accounts/", accounts, name="accounts"),
    path("accounts/new/", account_new, name="account_new"),
    path("accounts/<int:pk>/", account_edit, name="account_edit"),
]
