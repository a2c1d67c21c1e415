"""The admin shows the suppression list, filters, exports and adds to it; nothing leaves it without a reason."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from campaigns.leads.exporting import suppressions_csv
from campaigns.leads.suppression import ValueRefused, lift, parse_value, suppress
from campaigns.leads.suppression_file import ended
from campaigns.models import Suppression
from campaigns.permissions import DELETE_SUPPRESSION
from circuitbreakers import events
from circuitbreakers.models import DOORS, Event
from console import suppressions
from console.admin.lists import ListAdmin, clip, fields_of, time
from console.admin.verbs import AdminVerb, VerbsAdmin
from console.orders import Order, actor_of

SHOWN = fields_of(Suppression, without=("id",))
LIST = "admin:campaigns_suppression_changelist"


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


class SourceFilter(admin.SimpleListFilter):
    """The doors by name: the list is not read through to find out which have been used."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(door, door) for door in DOORS]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(source=self.value()) if self.value() in DOORS else queryset


def take_off(row: Suppression, order: Order) -> str:
    lift(row, actor=order.actor, reason=order.reason)
    return f"{row.value} is off the list."


@admin.register(Suppression)
class SuppressionAdmin(VerbsAdmin, ListAdmin):
    form = SuppressionForm
    empty_hint = "Nobody is on the list. Whoever is gets no mail of any campaign."
    list_display = ("whom", "cause", "why", "source", "created_by", "created")
    list_filter = ("cause", SourceFilter)
    search_fields = ("value__startswith",)
    search_help_text = "The beginning of an address or domain."
    list_before_template = "console/parts/suppressions_links.html"
    verbs = {
        "lift": AdminVerb(
            "Take off the list",
            DELETE_SUPPRESSION,
            take_off,
            "Campaigns may write there again. What had ended stays ended, and Instantly's own block list keeps it.",
            legal=lambda row: not row.final,
            reason_required=True,
            danger=True,
        ),
    }

    @admin.display(description="value", ordering="value")
    def whom(self, row: Suppression) -> SafeString | str:
        return clip(row.value)  # a hash in place of who was erased is long

    @admin.display(description="reason")
    def why(self, row: Suppression) -> SafeString | str:
        return clip(row.reason)

    @admin.display(description="since", ordering="created_at")
    def created(self, row: Suppression) -> SafeString | str:
        return time(row.created_at)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["value", "reason"] if obj is None else SHOWN

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Another value would be the deletion of this one, which is not everybody's."""
        return [] if obj is None else [field for field in SHOWN if field != "reason"]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Values are in lower case; what somebody pastes may not be."""
        return super().get_search_results(request, queryset, search_term.strip().lower())

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export)
        return [
            path("export/", export, name="campaigns_suppression_export"),
            *suppressions.urls(),
            *super().get_urls(),
        ]

    def extra_of(self, request: HttpRequest, row: Suppression) -> dict[str, Any]:
        return {
            "extra_template": "console/parts/suppression_extra.html",
            "why_final": row.why_final,
            "history": Event.objects.filter(subject_type="suppression", subject_id=str(row.pk))[:100],
        }

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if not change:
            result = suppress([obj.value], obj.reason, actor)
            obj.pk = Suppression.objects.values_list("pk", flat=True).get(value=obj.value)
            obj._state.adding = False
            if result.leads:
                self.message_user(request, f"{ended(result.leads)}.")
        elif form.changed_data:
            with transaction.atomic():
                # Only what was edited: the person's own wish may have come since the row was read.
                obj.save(update_fields=["reason"])
                before, after = {"reason": form.initial["reason"]}, {"value": obj.value, "reason": obj.reason}
                events.record("suppression", obj.pk, "changed", actor=actor, before=before, after=after)

    def verb_view(self, request: HttpRequest, object_id: str, name: str) -> Any:
        answer = super().verb_view(request, object_id, name)
        lifted = request.method == "POST" and self.get_object(request, object_id) is None
        return redirect(reverse(LIST)) if lifted else answer

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Deleting asks for a reason, as the verb does."""
        if self.has_delete_permission(request) and self.get_object(request, object_id) is not None:
            return self.verb_view(request, object_id, "lift")
        return super().delete_view(request, object_id, extra_context)

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Stream the rows of the list as CSV, its filters and search applied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return redirect(reverse(LIST))
        answer = StreamingHttpResponse(suppressions_csv(rows), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="suppressions.csv"'
        return answer
