"""The sidebar: what there is, for whom."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from campaigns.permissions import VIEW_CALL


def style(request: HttpRequest) -> str:
    return static("console/console.css")


def script(request: HttpRequest) -> str:
    return static("console/console.js")


def icon(request: HttpRequest) -> str:
    return static("console/icon.svg")


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Unfold's SIDEBAR.navigation. An item that the role may not see is absent."""
    return [
        {
            "title": "Now",
            "items": [
                {"title": "Dashboard", "icon": "monitoring", "link": reverse("admin:index")},
                {"title": "Recovery", "icon": "emergency_home", "link": reverse("console:recovery")},
            ],
        },
        {
            "title": "Work",
            "separator": True,
            "items": [
                _model("campaigns", "campaign", "Campaigns", "campaign"),
                _model("campaigns", "lead", "Leads", "contacts"),
                _model("campaigns", "job", "Jobs", "checklist"),
                _model("campaigns", "vendorcall", "Vendor calls", "receipt_long"),
                {
                    "title": "Spend",
                    "icon": "payments",
                    "link": reverse("console:spend"),
                    "permission": _may(VIEW_CALL),
                },
                _model("campaigns", "suppression", "Suppression list", "block"),
            ],
        },
        {
            "title": "Safety",
            "separator": True,
            "items": [
                _model("circuitbreakers", "breaker", "Breakers", "electrical_services"),
                _model("circuitbreakers", "incident", "Incidents", "e911_emergency"),
                _model("circuitbreakers", "queuepause", "Queue pauses", "pause_circle"),
                _model("circuitbreakers", "event", "Events", "history"),
                _model("campaigns", "process", "Processes", "memory"),
            ],
        },
        {
            "title": "Access",
            "separator": True,
            "items": [
                _model("auth", "user", "Users", "person"),
                _model("auth", "group", "Roles", "groups"),
                _model("config", "apitoken", "API tokens", "key"),
            ],
        },
    ]


def _model(app: str, model: str, title: str, icon: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": _may(f"{app}.view_{model}"),
    }


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)
