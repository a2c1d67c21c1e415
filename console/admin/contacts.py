"""The admin lists the people who are, or were, in a conversation: who holds them, who wrote last."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from campaigns.models import Contact
from console.admin.lists import ReadOnlyAdmin, fields_of, link, time


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    empty_hint = "Whoever a campaign takes in has a row here, so that two campaigns do not write to one person."
    list_display = ("key", "held_by", "held", "written_by", "written", "outcome")
    list_select_related: Any = ("campaign", "pushed_by")
    search_fields = ("key__startswith",)
    search_help_text = "The beginning of an address, or apollo: with Apollo's id."
    fields = fields_of(Contact)
    readonly_fields = fields

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look for the beginning of an address, by its index."""
        term = search_term.strip()
        low = term if term.startswith("apollo:") else term.lower()
        return (queryset.filter(key__startswith=low) if term else queryset), False

    @admin.display(description="last held by")
    def held_by(self, row: Contact) -> SafeString | str:
        return link("campaigns_campaign", row.campaign_id, row.campaign)

    @admin.display(description="since")
    def held(self, row: Contact) -> SafeString | str:
        return time(row.held_since)

    @admin.display(description="last written to by")
    def written_by(self, row: Contact) -> SafeString | str:
        return link("campaigns_campaign", row.pushed_by_id, row.pushed_by)

    @admin.display(description="on")
    def written(self, row: Contact) -> SafeString | str:
        return time(row.pushed_at)
