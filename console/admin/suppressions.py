"""The admin shows the suppression list."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString

from campaigns.leads.suppression import ValueRefused, parse_value
from campaigns.models import Suppression
from circuitbreakers import events
from console.admin.lists import ListAdmin, time
from console.orders import actor_of


class SuppressionForm(ModelForm):
    class Meta:
        model = Suppression
        fields = ("value", "reason")

    def clean_value(self) -> str:
        """Normalise the value as the import does."""
        try:
            return parse_value(self.cleaned_data["value"])
        except ValueRefused as error:
            raise ValidationError(str(error)) from None


@admin.register(Suppression)
class SuppressionAdmin(ListAdmin):
    form = SuppressionForm
    list_display = ("value", "reason", "created_by", "created")
    search_fields = ("value__startswith",)
    search_help_text = "The beginning of an address or domain."

    @admin.display(description="since", ordering="created_at")
    def created(self, row: Suppression) -> SafeString | str:
        return time(row.created_at)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Another value would be the deletion of this one, which is not everybody's."""
        return ["value"] if obj else []

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if not change:
            obj.created_by = actor.name
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            verb = "changed" if change else "suppressed"
            before = {"reason": form.initial["reason"]} if change else None
            after = {"value": obj.value, "reason": obj.reason}
            events.record("suppression", obj.pk, verb, actor=actor, before=before, after=after)

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        actor = actor_of(request)
        with transaction.atomic():
            events.record("suppression", obj.pk, "deleted", actor=actor, before={"value": obj.value})
            super().delete_model(request, obj)
