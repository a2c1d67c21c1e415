"""API tokens are seen and revoked in the admin, and made through the API only (nobody else may see one)."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django_dramatiq import admin as dramatiq_admin
from unfold.admin import ModelAdmin

from api.models import ApiToken
from circuitbreakers import events
from console.orders import actor_of

# Our middleware writes no task rows: its list would be empty for ever.
admin.site.unregister(dramatiq_admin.Task)


def record_revocation(row: ApiToken, request: HttpRequest) -> None:
    actor = actor_of(request)
    before = {"name": row.name, "user": row.user.get_username()}
    events.record("token", row.token_key, "revoked", actor=actor, before=before)


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    """Tokens can be read and revoked here, nothing else."""

    list_display = ("name", "user", "token_key", "created", "expiry")
    list_select_related = ("user",)
    search_fields = ("name", "token_key", "user__username")
    fields = list_display
    readonly_fields = list_display
    ordering = ("-created",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        record_revocation(obj, request)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for row in queryset.select_related("user"):
            record_revocation(row, request)
        super().delete_queryset(request, queryset)
