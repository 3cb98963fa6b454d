"""Connection list: the saved connections as the pages show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, QuerySet

from console import endpoint_kinds
from migrations_app import services
from migrations_app.engine.endpoint import ServerInfo
from migrations_app.models import Connection

OPEN_DRAFT = {
    end: Q(**{f"{end}_drafts__isnull": False, f"{end}_drafts__job": None}) for end in ("source", "target")
}


def counted() -> QuerySet[Connection]:
    """Return all connections, each with the number of jobs and open drafts that use it."""
    counts = {f"{end}_jobs_count": Count(f"{end}_jobs", distinct=True) for end in OPEN_DRAFT}
    drafts = {
        f"{end}_drafts_count": Count(f"{end}_drafts", filter=is_open, distinct=True)
        for end, is_open in OPEN_DRAFT.items()
    }
    return Connection.objects.annotate(**counts, **drafts).order_by("name")


def row(connection: Any, worker_hosts: list[str]) -> dict[str, Any]:
    """Return one row of the list. ``connection`` is from ``counted``. A failed test can be repeated from
    ``worker_hosts``."""
    return {
        "id": connection.pk,
        "name": connection.name,
        "kind_title": endpoint_kinds.title(connection.kind, is_target=connection.is_target),
        "address": connection.address,
        "server": connection.server_info,
        "ok": not connection.test_error if connection.tested_at else None,
        "worker_hosts": worker_hosts if connection.test_error else [],
        "message": connection.test_error,
        "tested_at": connection.tested_at,
        "jobs": connection.source_jobs_count + connection.target_jobs_count,
        "used_by_drafts": connection.source_drafts_count + connection.target_drafts_count,
    }


def groups() -> list[dict[str, Any]]:
    connections, hosts = list(counted()), services.other_worker_hosts()
    return [
        {"title": title, "connections": [row(c, hosts) for c in connections if c.is_target is is_target]}
        for title, is_target in (("Sources", False), ("Targets", True))
    ]


def default_name(title: str) -> str:
    """Return ``title`` if no connection has this name, else ``title`` with the first free number."""
    taken = set(Connection.objects.filter(name__startswith=title).values_list("name", flat=True))
    names = (title if number == 1 else f"{title} {number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def server_panel(server: ServerInfo, notices: Iterable[str] = ()) -> dict[str, Any]:
    """Return the facts about the server that a connection test has found, with ``notices``."""
    details = [*server.details, *server.warnings, *notices]
    return {"title": f"{server.product} {server.version}", "details": details}
