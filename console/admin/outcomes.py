"""The admin shows what Instantly told of the leads that were pushed, as it came, and what followed from it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from campaigns.leads.addresses import normalise
from campaigns.models import OutcomeEvent
from campaigns.outcomes import EFFECTS, UNKNOWN
from console.admin.lists import ReadOnlyAdmin, fields_of, time


class KindFilter(admin.SimpleListFilter):
    """Events by Instantly's name for them. From our table: the names in a million rows are not looked for."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(kind, kind) for kind in EFFECTS]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class EffectFilter(KindFilter):
    """Events by what followed from them."""

    title = "effect"
    parameter_name = "effect"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        names = dict.fromkeys(effect.name for effect in (*EFFECTS.values(), UNKNOWN))
        return [*((name, name) for name in names), ("failed", "could not be applied"), ("waiting", "not yet applied")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "waiting":
            return queryset.filter(applied_at=None)
        if self.value() == "failed":
            return queryset.filter(effect__startswith="failed")
        return queryset.filter(effect=self.value()) if self.value() else queryset


@admin.register(OutcomeEvent)
class OutcomeEventAdmin(ReadOnlyAdmin):
    empty_hint = "Nothing has come back yet. Instantly tells of mails sent, bounced and answered once leads are pushed."
    list_display = ("number", "kind", "email", "target", "occurred", "received", "source", "effect")
    list_display_links = ("number", "kind")
    list_filter = (KindFilter, "source", EffectFilter)
    search_fields = ("email",)
    search_help_text = "An address, whole."
    fields = fields_of(OutcomeEvent, without=("id",))
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        """A list does not read payloads: each may be 256 kB."""
        return super().get_queryset(request).defer("payload")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look for an address by its index."""
        term = search_term.strip()
        return (queryset.filter(email=normalise(term) or term.lower()) if term else queryset), False

    @admin.display(description="happened")
    def occurred(self, row: OutcomeEvent) -> SafeString | str:
        return time(row.occurred_at)

    @admin.display(description="told", ordering="id")
    def received(self, row: OutcomeEvent) -> SafeString | str:
        return time(row.received_at)
