"""The admin lists planned pauses; a new one is planned by its verb, and one that has not begun is taken back."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget

from circuitbreakers import planned
from circuitbreakers.models import PlannedPause
from circuitbreakers.permissions import OPERATE_QUEUE
from circuitbreakers.services import SERVICES
from console import shared_snapshot
from console.admin.lists import ListAdmin, clip
from console.admin.verbs import AdminVerb, VerbsAdmin
from console.labels import service_name
from console.orders import Order, actor_of

CHOICES = [*((name, service_name(name)) for name in SERVICES), ("all", "All services")]


class PlannedPauseForm(forms.ModelForm):
    """The form plans the pause while it is cleaned: what the verb refuses is an error of the form."""

    service = forms.ChoiceField(choices=CHOICES, widget=UnfoldAdminSelectWidget(choices=CHOICES))
    actor: Any = None

    class Meta:
        model = PlannedPause
        fields = ("starts_at", "ends_at", "reason")
        help_texts = {
            "starts_at": "UTC. From then on nothing of it is begun; calls that are out are booked.",
            "ends_at": "UTC. Then everybody is reminded, with what a resume needs. Nothing resumes by itself.",
        }

    field_order = ("service", "starts_at", "ends_at", "reason")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            self.instance = planned.plan(
                data["service"],
                actor=self.actor,
                reason=data["reason"],
                starts_at=data["starts_at"],
                ends_at=data["ends_at"],
            )
        return data

    def _post_clean(self) -> None:
        """The row is saved by now."""


def take_back(row: PlannedPause, order: Order) -> str:
    if not planned.cancel(row.pk, actor=order.actor, reason=order.reason):
        raise ValidationError(f"Planned pause {row.pk} has begun, or was taken back already.")
    return f"Planned pause {row.pk} is taken back."


@admin.register(PlannedPause)
class PlannedPauseAdmin(VerbsAdmin, ListAdmin):
    form = PlannedPauseForm
    empty_hint = "No pause is planned. A planned one begins by itself; only a person lifts it."
    list_display = ("number", "of_service", "starts_at", "ends_at", "is_ahead", "why", "actor")
    verbs = {
        "take_back": AdminVerb(
            "Take back",
            OPERATE_QUEUE,
            take_back,
            "It will not begin. One that has begun is lifted like any other pause.",
            legal=lambda row: row.settled_at is None,
        )
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(OPERATE_QUEUE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        more = ("of_service", "starts_at", "ends_at", "is_ahead", "reason", "actor", "pause")
        return more if obj else PlannedPauseForm.field_order

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj:  # which is shown, not edited
            return super().get_form(request, obj, change=change, form=forms.ModelForm, **kwargs)
        form = super().get_form(request, obj, change=change, **{**kwargs, "fields": PlannedPauseForm.Meta.fields})
        return type(form.__name__, (form,), {"actor": actor_of(request)})

    def save_model(self, request: HttpRequest, obj: PlannedPause, form: Any, change: bool) -> None:
        """The form has saved it."""
        shared_snapshot.forget()

    @admin.display(description="service")
    def of_service(self, row: PlannedPause) -> str:
        return dict(CHOICES)[row.service]

    @admin.display(description="state")
    def is_ahead(self, row: PlannedPause) -> SafeString | str:
        if row.settled_at is None:
            return "ahead"
        return "began" if row.pause_id else "taken back or missed"

    @admin.display(description="reason")
    def why(self, row: PlannedPause) -> SafeString | str:
        return clip(row.reason)
