"""The one table of who may do what, through the API and the admin. `docs/permissions.md` is made from it:

    .venv/bin/python -m tests.api.authorisation > docs/permissions.md

A new address needs a row here, or the test that walks them all fails.
"""

# In rising order: each may do what the ones before it may.
ROLES = ("everybody", "any login", "viewer", "operator", "admin")
EVERYBODY, LOGIN, VIEWER, OPERATOR, ADMIN = ROLES
NOBODY = "nobody"

QUEUE = "api/v1/queue-management"
BREAKER = f"{QUEUE}/circuit-breakers/<str:service>"

# address: method -> the least role. What is not here is 405.
API: dict[str, dict[str, str]] = {
    "api/v1/auth/token": {"POST": EVERYBODY, "DELETE": LOGIN},
    "api/v1/auth/tokens": {"GET": LOGIN},
    "api/v1/auth/tokens/<str:token_key>": {"DELETE": LOGIN},
    "api/v1/health/live": {"GET": EVERYBODY},
    "api/v1/health/ready": {"GET": EVERYBODY},
    "health/live": {"GET": EVERYBODY},
    "health/ready": {"GET": EVERYBODY},
    "metrics": {"GET": VIEWER},
    "api/v1/schema": {"GET": VIEWER},
    "api/v1/docs": {"GET": VIEWER},
    f"{QUEUE}/status": {"GET": VIEWER},
    f"{QUEUE}/circuit-breakers": {"GET": VIEWER},
    f"{BREAKER}/reset": {"POST": OPERATOR},
    f"{BREAKER}/probe": {"POST": OPERATOR},
    f"{BREAKER}/hold": {"POST": OPERATOR},
    f"{BREAKER}/release": {"POST": OPERATOR},
    f"{BREAKER}/lift-wait": {"POST": OPERATOR},
    f"{BREAKER}/ramp": {"GET": VIEWER, "POST": OPERATOR},
    f"{BREAKER}/try-one": {"POST": OPERATOR},
    f"{QUEUE}/outlook": {"GET": VIEWER},
    f"{BREAKER}/limits": {"GET": VIEWER, "POST": ADMIN},
    f"{BREAKER}/slow": {"POST": OPERATOR},
    f"{BREAKER}/full-speed": {"POST": OPERATOR},
    f"{QUEUE}/resume-queue": {"GET": VIEWER, "POST": OPERATOR},
    f"{QUEUE}/pause-service": {"POST": OPERATOR},
    f"{QUEUE}/planned-pauses": {"GET": VIEWER, "POST": OPERATOR},
    f"{QUEUE}/planned-pauses/<int:pk>/cancel": {"POST": OPERATOR},
    f"{QUEUE}/confirmations": {"GET": VIEWER},
    f"{QUEUE}/confirmations/<int:pk>/confirm": {"POST": OPERATOR},
    f"{QUEUE}/confirmations/<int:pk>/decline": {"POST": OPERATOR},
    f"{QUEUE}/resume-service": {"POST": OPERATOR},
    f"{QUEUE}/paused-jobs/<str:service>": {"GET": VIEWER},
    f"{QUEUE}/campaign-status": {"GET": VIEWER},
    "api/v1/incidents": {"GET": VIEWER},
    "api/v1/incidents/<int:pk>": {"GET": VIEWER},
    "api/v1/incidents/<int:pk>/acknowledge": {"POST": OPERATOR},
    "api/v1/incidents/<int:pk>/assign": {"POST": OPERATOR},
    "api/v1/incidents/<int:pk>/note": {"POST": OPERATOR},
    "api/v1/channels": {"GET": VIEWER},
    "api/v1/channels/<int:pk>/test": {"POST": ADMIN},
    "api/v1/deliveries": {"GET": VIEWER},
    "api/v1/deliveries/<int:pk>/replay": {"POST": OPERATOR},
    "api/v1/events": {"GET": VIEWER},
    "api/v1/budgets": {"GET": VIEWER, "POST": ADMIN},
    "api/v1/budgets/remove": {"POST": ADMIN},
    "api/v1/campaigns": {"GET": VIEWER, "POST": OPERATOR},
    "api/v1/campaigns/<int:pk>": {"GET": VIEWER},
    "api/v1/campaigns/<int:pk>/start": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/go-on": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/extend": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/rewrite": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/pause": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/resume": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/cancel": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/check-target": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/retry-failed": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/contact-policy": {"POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/leads": {"GET": VIEWER, "POST": OPERATOR},
    "api/v1/campaigns/<int:pk>/progress": {"GET": VIEWER},
    "api/v1/campaigns/<int:pk>/estimate": {"GET": VIEWER},
    "api/v1/campaigns/<int:pk>/funnel": {"GET": VIEWER},
    "api/v1/campaigns/<int:pk>/review": {"POST": OPERATOR},
    "api/v1/mails": {"GET": VIEWER},
    "api/v1/mails/approve": {"POST": OPERATOR},
    "api/v1/mails/reject": {"POST": OPERATOR},
    "api/v1/mails/<int:pk>/edit": {"POST": OPERATOR},
    "api/v1/failures": {"GET": VIEWER},
    "api/v1/failures/<uuid:key>": {"GET": VIEWER},
    "api/v1/failures/retry": {"POST": OPERATOR},
    "api/v1/failures/drop": {"POST": OPERATOR},
    "api/v1/leads": {"GET": VIEWER},
    "api/v1/jobs": {"GET": VIEWER},
    "api/v1/spend": {"GET": VIEWER},
    "api/v1/suppressions": {"GET": VIEWER, "POST": OPERATOR},
    "api/v1/suppressions/check": {"POST": VIEWER},
    "api/v1/suppressions/<int:pk>/lift": {"POST": ADMIN},
    "api/v1/vendor-calls": {"GET": VIEWER},
}
# 404 for everything, whoever asks.
NOWHERE = r"api/v1/^[\s\S]*$"

# No role opens it, and no method tells a stranger anything: 401. Instantly brings a secret.
HOOK = r"^hooks/instantly/(?P<opaque>[^/]*)/?$"

# Pages of the admin about no single model, by name: method -> the least role. VIEWER stands for every role here: all
# of them are staff, and what a page shows is what its reader may see.
PAGES: dict[str, dict[str, str]] = {
    "index": {"GET": VIEWER},
    "login": {"GET": EVERYBODY, "POST": EVERYBODY},
    "logout": {"POST": EVERYBODY},
    "password_change": {"GET": VIEWER, "POST": VIEWER},
    "password_change_done": {"GET": VIEWER},
    "autocomplete": {"GET": NOBODY},
    "jsi18n": {"GET": VIEWER},
    "search": {"GET": VIEWER},
    "app_list": {"GET": VIEWER},
    "view_on_site": {"GET": VIEWER},
    "live": {"GET": VIEWER},
    "company-out": {"GET": EVERYBODY},
    "company-callback": {"GET": EVERYBODY},
    "company-logged-out": {"POST": EVERYBODY},
    "account": {"GET": VIEWER, "POST": VIEWER},
    "spend": {"GET": VIEWER},
    "mails": {"GET": VIEWER},
    "mail-answer": {"POST": OPERATOR},
    "failures": {"GET": VIEWER},
    "failure_group": {"GET": VIEWER},
    "failure_leads": {"GET": VIEWER},
    "failures_retry": {"POST": OPERATOR},
    "failures_drop": {"POST": OPERATOR},
    "person": {"GET": VIEWER, "POST": VIEWER},
    "recovery": {"GET": VIEWER},
    "resume": {"POST": OPERATOR},
    "act": {"POST": OPERATOR},
    "incident_acknowledge": {"POST": OPERATOR},
    "incident_assign": {"POST": OPERATOR},
    "incident_note": {"POST": OPERATOR},
    "confirmations": {"GET": VIEWER},
    "confirm": {"POST": OPERATOR},
    "decline": {"POST": OPERATOR},
    "campaigns_campaign_import": {"GET": OPERATOR},
    "campaigns_campaign_contacts": {"GET": OPERATOR, "POST": OPERATOR},
    "campaigns_campaign_guided_new": {"GET": OPERATOR, "POST": OPERATOR},
    "campaigns_campaign_guided": {"GET": OPERATOR, "POST": OPERATOR},
    "campaigns_campaign_left_out": {"GET": OPERATOR},
    "campaigns_campaign_preview": {"POST": OPERATOR},
    "campaigns_campaign_import_run": {"POST": OPERATOR},
    "campaigns_suppression_import": {"GET": OPERATOR, "POST": OPERATOR},
}

RIGHTS = ("view", "add", "change", "delete")
# Pages of the admin about a model: right -> the least role.
MODELS: dict[str, dict[str, str]] = {
    "auth.user": {"view": ADMIN, "add": ADMIN, "change": ADMIN, "delete": ADMIN},
    "auth.group": {"view": ADMIN},
    "django_dramatiq.task": {},
    "config.apitoken": {"view": ADMIN, "delete": ADMIN},
    "circuitbreakers.breaker": {"view": VIEWER, "change": ADMIN},
    "circuitbreakers.budget": {"view": VIEWER, "add": ADMIN, "change": ADMIN},
    "circuitbreakers.queuepause": {"view": VIEWER},
    "circuitbreakers.plannedpause": {"view": VIEWER, "add": OPERATOR},
    "circuitbreakers.incident": {"view": VIEWER},
    "circuitbreakers.event": {"view": VIEWER},
    "campaigns.campaign": {"view": VIEWER, "add": OPERATOR, "change": OPERATOR, "delete": ADMIN},
    "campaigns.lead": {"view": VIEWER},
    "campaigns.contact": {"view": VIEWER},
    "campaigns.job": {"view": VIEWER},
    "campaigns.vendorcall": {"view": VIEWER},
    "campaigns.outcomeevent": {"view": VIEWER},
    "campaigns.suppression": {"view": VIEWER, "add": OPERATOR, "change": OPERATOR, "delete": ADMIN},
    "campaigns.verdict": {"view": VIEWER},
    "campaigns.process": {"view": VIEWER},
    "notifications.channel": {"view": VIEWER, "add": ADMIN, "change": ADMIN},
    "notifications.message": {"view": VIEWER},
    "notifications.delivery": {"view": VIEWER},
}
# Addresses of the admin below a model, by what their name ends in: the right that they need.
NEEDS = {
    "changelist": "view",
    "add": "add",
    "change": "view",
    "history": "view",
    "delete": "delete",
    "password_change": "change",
    "export": "view",
    "markdown": "view",
    "verb": "verb",
}
# The page that asks before a verb acts, and does it: the least role for every verb of every model, but for these.
VERBS = OPERATOR
VERBS_OF = {"campaigns.suppression": ADMIN, "circuitbreakers.budget": ADMIN, "notifications.channel": ADMIN}


def may(role: str, least: str) -> bool:
    """Whether `role` may do what needs at least `least`."""
    return least != NOBODY and ROLES.index(role) >= ROLES.index(least)


def table(headers: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(headers) + " |", "|" + "---|" * len(headers)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def document() -> str:
    """docs/permissions.md."""
    columns = [VIEWER, OPERATOR, ADMIN]
    api = [
        [f"`/{path}`", method, *("yes" if may(role, least) else "-" for role in ROLES)]
        for path, methods in API.items()
        for method, least in methods.items()
    ]
    models = [
        [f"`{model}`", *(rights.get(right, NOBODY) for right in RIGHTS)] for model, rights in sorted(MODELS.items())
    ]
    pages = [[f"`admin:{name}`", method, least] for name, methods in PAGES.items() for method, least in methods.items()]
    return "\n".join(
        [
            "# Who may do what",
            "",
            "Made from the table that the tests hold every address against, for every method and role:",
            "`.venv/bin/python -m tests.api.authorisation > docs/permissions.md`.",
            "",
            f"Roles are groups: {', '.join(name.capitalize() for name in columns)}; each may do what the one before it "
            "may. What is not listed is refused: 401 without a login, 403 without the permission, 405 for another "
            "method. A superuser may do everything.",
            "",
            "`/metrics`, `/docs` and `/schema` follow `EXPOSE_METRICS` and `EXPOSE_DOCS`; shown is their default.",
            "",
            "`/hooks/instantly/...` is 401 for every role and method: only Instantly brings its path and its secret.",
            "",
            "## API",
            "",
            *table(["address", "method", *ROLES], api),
            "",
            "## Admin",
            "",
            "The least role for each right. Nobody at all may do what says nobody.",
            "",
            *table(["model", *RIGHTS], models),
            "",
            *table(["page", "method", "least role"], pages),
            "",
        ]
    )


if __name__ == "__main__":
    print(document(), end="")
