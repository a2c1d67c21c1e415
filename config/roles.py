"""The three roles (docs/contract.md#roles) are groups whose permissions are ensured after every migration."""

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions

from accounts.company import ADMIN, OPERATOR, VIEWER
from campaigns.permissions import (
    ADD_CAMPAIGN,
    ADD_SUPPRESSION,
    CHANGE_CAMPAIGN,
    CHANGE_SUPPRESSION,
    DELETE_CAMPAIGN,
    DELETE_SUPPRESSION,
    ERASE_PERSON,
    OPERATE_CAMPAIGN,
    OPERATE_JOB,
)
from circuitbreakers.permissions import CHANGE_BREAKER, CHANGE_BUDGET, OPERATE_BREAKER, OPERATE_QUEUE
from notifications.permissions import ADD_CHANNEL, CHANGE_CHANNEL, DELETE_CHANNEL, REPLAY_DELIVERY

__all__ = ["ADMIN", "OPERATOR", "VIEWER", "ensure_roles"]

OURS = ("circuitbreakers", "campaigns", "notifications")

# app_label.codename, beside every `view_*` of our own apps.
OPERATES = (
    OPERATE_BREAKER,
    OPERATE_QUEUE,
    OPERATE_CAMPAIGN,
    OPERATE_JOB,
    ADD_CAMPAIGN,
    CHANGE_CAMPAIGN,
    ADD_SUPPRESSION,
    CHANGE_SUPPRESSION,
    REPLAY_DELIVERY,
)
ADMINISTERS = (
    CHANGE_BREAKER,
    CHANGE_BUDGET,
    DELETE_CAMPAIGN,
    DELETE_SUPPRESSION,
    ERASE_PERSON,
    ADD_CHANNEL,
    CHANGE_CHANNEL,
    DELETE_CHANNEL,
    "auth.view_user",
    "auth.add_user",
    "auth.change_user",
    "auth.delete_user",
    "auth.view_group",
    "config.view_apitoken",
    "config.delete_apitoken",
)


def ensure_roles(using: str, **kwargs: Any) -> None:
    """Create the groups and set their permissions; idempotent. `post_migrate`, since permissions exist only then."""
    from django.contrib.auth.models import Group, Permission

    for label in (*OURS, "auth", "config"):
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    by_name = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.using(using).select_related("content_type")
    }
    sees = {name for name in by_name if name.startswith(tuple(f"{label}.view_" for label in OURS))}
    for role, names in (
        (VIEWER, sees),
        (OPERATOR, sees | set(OPERATES)),
        (ADMIN, sees | set(OPERATES) | set(ADMINISTERS)),
    ):
        group, _ = Group.objects.using(using).get_or_create(name=role)
        group.permissions.set([by_name[name] for name in sorted(names)])
