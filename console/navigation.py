"""The sidebar lists the pages that a role may see; Unfold also asks here for the style, the script and the icon."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from campaigns.permissions import VIEW_CALL, VIEW_JOB, VIEW_LEAD


def style(request: HttpRequest) -> str:
    return static("console/console.css")


def script(request: HttpRequest) -> str:
    return static("console/console.js")


def icon(request: HttpRequest) -> str:
    return static("console/icon.svg")


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sections for Unfold's SIDEBAR.navigation. An item that the role may not see is absent."""
    dashboard = {"title": "Dashboard", "icon": "monitoring", "link": reverse("admin:index")}
    recovery = {"title": "Recovery", "icon": "emergency_home", "link": reverse("console:recovery")}
    spend = {
        "title": "Spend",
        "icon": "payments",
        "link": reverse("console:spend"),
        "permission": _may(VIEW_CALL),
    }
    failures = {
        "title": "Failures",
        "icon": "report",
        "link": reverse("console:failures"),
        "permission": _may(VIEW_JOB),
    }
    person = {
        "title": "A person",
        "icon": "person_search",
        "link": reverse("console:person"),
        "permission": _may(VIEW_LEAD),
    }
    mails = {
        "title": "Mails to read",
        "icon": "mark_email_unread",
        "link": reverse("console:mails"),
        "permission": _may(VIEW_LEAD),
    }
    return [
        {"title": "Now", "items": [dashboard, recovery]},
        _section(
            "Work",
            _model("campaigns", "campaign", "Campaigns", "campaign"),
            _model("campaigns", "lead", "Leads", "contacts"),
            mails,
            _model("campaigns", "contact", "Contacts", "forum"),
            _model("campaigns", "job", "Jobs", "checklist"),
            failures,
            _model("campaigns", "vendorcall", "Vendor calls", "receipt_long"),
            spend,
            _model("campaigns", "outcomeevent", "What came back", "mark_email_read"),
            _model("campaigns", "suppression", "Suppression list", "block"),
            person,
        ),
        _section(
            "Safety",
            _model("circuitbreakers", "breaker", "Breakers", "electrical_services"),
            _model("circuitbreakers", "budget", "Budgets", "savings"),
            _model("circuitbreakers", "incident", "Incidents", "e911_emergency"),
            _model("circuitbreakers", "queuepause", "Queue pauses", "pause_circle"),
            _model("circuitbreakers", "plannedpause", "Planned pauses", "event"),
            _model("circuitbreakers", "event", "Events", "history"),
            _model("campaigns", "process", "Processes", "memory"),
        ),
        _section(
            "Being told",
            _model("notifications", "channel", "Channels", "campaign"),
            _model("notifications", "delivery", "Deliveries", "outgoing_mail"),
            _model("notifications", "message", "Messages", "notifications"),
        ),
        _section(
            "Access",
            _model("auth", "user", "Users", "person"),
            _model("auth", "group", "Roles", "groups"),
            _model("config", "apitoken", "API tokens", "key"),
        ),
    ]


def account(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the links of the user's own menu, for Unfold's ACCOUNT.navigation."""
    return [{"title": "Your login", "link": reverse("console:account")}]


def _section(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(items)}


def _model(app: str, model: str, title: str, icon: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": _may(f"{app}.view_{model}"),
    }


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)
