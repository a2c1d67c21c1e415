"""The admin's lists have in common: no full counts, nothing to add or change by hand, links to what belongs."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import BooleanField, DateTimeField, Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from console.labels import service_name
from console.templatetags.console import state as state_tag
from console.templatetags.console import when


class CappedPaginator(Paginator):
    """Counts to ten thousand and no further: a list is narrowed by filters, not leafed through to row 900,000."""

    MOST = 10_000

    template_name = "console/parts/pagination.html"

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())

    @property
    def capped(self) -> bool:
        """Say whether there are more rows than `count` says."""
        return self.count == self.MOST


class ListAdmin(ModelAdmin):
    """This list stays fast with a million rows."""

    paginator: type[Paginator] = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    list_fullwidth = True
    compressed_fields = True
    list_filter_submit = False
    # What an empty list says beside "Nothing here yet", and the page that a button leads to, with its label.
    empty_hint = ""
    empty_page = ""
    empty_label = ""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Without the total that was not counted, Unfold's title would offer to show "all"."""
        changelist: Any = super().get_changelist_instance(request)
        changelist.full_result_count = changelist.result_count
        return changelist

    @admin.display(description="id", ordering="id")
    def number(self, row: Model) -> str:
        """An id is copied into a shell, so its thousands stay together."""
        return str(row.pk)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting many at once has no confirmation that a million related rows would survive."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


class ReadOnlyAdmin(ListAdmin):
    """Only verbs change the rows of this list."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def link(model: str, pk: object, text: object) -> SafeString | str:
    """Return a link to one row's page; `model` is written as in `campaigns_lead`."""
    if pk is None:
        return "—"
    return format_html('<a class="font-medium" href="{}">{}</a>', reverse(f"admin:{model}_change", args=[pk]), text)


def state(name: str) -> SafeString:
    return state_tag(name)


def time(at: Any) -> SafeString | str:
    return when(at)


def clip(text: str | None) -> SafeString | str:
    """Show one line of a long text, and the whole of it on hover."""
    return format_html('<span class="hf-one" title="{}">{}</span>', text, text) if text else "—"


def exact(at: datetime | None) -> SafeString | str:
    """Write an instant to the second, and how long ago that was."""
    return format_html("{} UTC ({})", f"{at:%Y-%m-%d %H:%M:%S}", when(at)) if at else "—"


def fields_of(model: type[Model], without: Sequence[str] = ()) -> list[Any]:
    """Return a model's fields for a read-only page, in order: states, services and times look as everywhere else."""
    return [_shown(field) for field in model._meta.concrete_fields if field.name not in without]


def _shown(field: Any) -> Any:
    if field.name in ("status", "state", "outcome"):
        write: Callable[[Any], Any] = state
    elif field.name == "service":
        write = service_name
    elif isinstance(field, DateTimeField):
        write = exact
    elif isinstance(field, BooleanField):
        write = {True: "yes", False: "no"}.__getitem__
    else:
        return field.name

    @admin.display(description=field.verbose_name)
    def shown(row: Model) -> Any:
        return write(getattr(row, field.name))

    shown.__name__ = field.name  # by which Django finds its help text
    return shown
