"""What the admin's lists have in common: no full counts, nothing to add or change by hand, links to what belongs."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from config.templatetags.console import state as state_tag
from config.templatetags.console import when


class CappedPaginator(Paginator):
    """Counts to ten thousand and no further: a list is narrowed by filters, not leafed through to row 900,000."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class ListAdmin(ModelAdmin):
    """A list that stays fast with a million rows."""

    paginator: type[Paginator] = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    list_fullwidth = True
    compressed_fields = True
    list_filter_submit = False

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Without the total that was not counted, Unfold's title would offer to show "all"."""
        found: Any = super().get_changelist_instance(request)
        found.full_result_count = found.result_count
        return found

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting many at once has no confirmation that a million related rows would survive."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


class ReadOnlyAdmin(ListAdmin):
    """Rows that only verbs change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def link(model: str, pk: object, text: object) -> SafeString | str:
    """A link to one row's page; `model` as in `campaigns_lead`."""
    if pk is None:
        return "—"
    return format_html('<a class="font-medium" href="{}">{}</a>', reverse(f"admin:{model}_change", args=[pk]), text)


def state(name: str) -> SafeString:
    return state_tag(name)


def time(at: Any) -> SafeString | str:
    return when(at)


def fields_of(model: type[Model], without: Sequence[str] = ()) -> list[str]:
    """Every field of a model, in order, for a read-only page."""
    return [field.name for field in model._meta.concrete_fields if field.name not in without]
