"""The admin shows breakers with their policies, incidents, pauses and events through these classes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from circuitbreakers import breaker, limits, notes, postmortem
from circuitbreakers.models import Breaker, Event, Incident, QueuePause
from circuitbreakers.permissions import OPERATE_QUEUE
from console import shared_snapshot
from console.admin.lists import ListAdmin, ReadOnlyAdmin, fields_of, link, state, time
from console.admin.policy_form import COLUMNS, FIELDSETS, PolicyForm
from console.admin.verbs import AdminVerb, VerbsAdmin
from console.export import events_csv
from console.labels import service_name
from console.orders import Order, actor_of
from console.service_verbs import VERBS


def on_service(name: str, legal: Callable[[Breaker], bool] = lambda row: True) -> AdminVerb:
    """Return a verb on a service as a button of its breaker's row."""
    verb = VERBS[name]
    return AdminVerb(
        verb.label,
        verb.permission,
        lambda row, order: verb.act(row.service, order).text,
        verb.question,
        legal=legal,
        reason_required=verb.reason_required,
        danger=verb.danger,
        may_force=verb.may_force,
    )


@admin.register(Breaker)
class BreakerAdmin(VerbsAdmin, ListAdmin):
    form = PolicyForm
    fieldsets = FIELDSETS
    list_display = (
        "name",
        "live_state",
        "live_failures",
        "failure_threshold",
        "reset_timeout",
        "rate",
        "limits",
        "held_by",
    )
    list_display_links = ("name",)
    verbs = {
        "reset_breaker": on_service("reset"),
        "probe_breaker": on_service("probe"),
        "hold_breaker": on_service("hold", legal=lambda row: not row.held_at),
        "release_breaker": on_service("release", legal=lambda row: bool(row.held_at)),
        "lift_wait": on_service(
            "lift-wait", legal=lambda row: bool(shared_snapshot.current().card_of(row.service).slowed_until)
        ),
        "slow": on_service("slow", legal=lambda row: row.speed != limits.SLOW),
        "full_speed": on_service("full-speed", legal=lambda row: row.speed != limits.FULL),
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="service", ordering="service")
    def name(self, row: Breaker) -> str:
        return service_name(row.service)

    @admin.display(description="state")
    def live_state(self, row: Breaker) -> SafeString:
        return state(shared_snapshot.current().state_of(row.service))

    @admin.display(description="failures")
    def live_failures(self, row: Breaker) -> int:
        return shared_snapshot.current().card_of(row.service).failures

    @admin.display(description="opens at a rate of")
    def rate(self, row: Breaker) -> str:
        return f"{row.rate_trip_percent} % of {row.rate_trip_calls} calls in {row.rate_trip_window} s"

    @admin.display(description="rate limits")
    def rate_limits_now(self, row: Breaker) -> str:
        limits_of_service = shared_snapshot.current().card_of(row.service).limits
        return limits_of_service.in_words if limits_of_service else ""

    def extra_of(self, request: HttpRequest, row: Breaker) -> dict[str, Any]:
        snapshot = shared_snapshot.current()
        card = snapshot.card_of(row.service)
        history = Event.objects.filter(subject_type__in=("breaker", "policy"), subject_id=row.pk)[:50]
        return {
            "extra_template": "console/parts/breaker_extra.html",
            "card": card,
            "snapshot": snapshot,
            "history": history,
        }

    def get_fieldsets(self, request: HttpRequest, obj: Breaker | None = None) -> Any:
        """Without the right to edit there is no form, and so nothing beside the row's own fields."""
        if self.has_change_permission(request, obj):
            return FIELDSETS
        return [(None, {"fields": [name for _, part in FIELDSETS for name in part["fields"] if name in COLUMNS]})]

    def save_model(self, request: HttpRequest, obj: Breaker, form: Any, change: bool) -> None:
        """A policy edit is one event; this process judges by it at once, the others within two seconds."""
        # Only what was edited: it may have been held or released since the row was read.
        limits.change(
            obj.pk,
            {name: form.cleaned_data[name] for name in form.changed_data if name in COLUMNS},
            actor=actor_of(request),
            reason=form.cleaned_data["reason"],
            version=form.cleaned_data["seen_version"],
            above_published=form.cleaned_data["above_published"],
        )
        obj.refresh_from_db()


def acknowledge(row: Incident, order: Order) -> None:
    if not notes.acknowledge(row.pk, actor=order.actor, reason=order.reason):
        raise breaker.BreakerRefused(f"Incident {row.pk} was acknowledged already.")


def take(row: Incident, order: Order) -> None:
    if not notes.assign(row.pk, order.actor.name, actor=order.actor, reason=order.reason):
        raise breaker.BreakerRefused(f"Incident {row.pk} was yours already.")


def add_note(row: Incident, order: Order) -> None:
    notes.note(row.pk, actor=order.actor, text=order.reason)


@admin.register(Incident)
class IncidentAdmin(VerbsAdmin, ReadOnlyAdmin):
    empty_hint = "No breaker has ever opened. An incident is written when one does."
    list_display = (
        *("number", "name", "opened", "reason", "failure_type"),
        *("campaigns_paused", "jobs_paused", "reset", "at_it"),
    )
    list_display_links = ("number", "name")
    list_filter = ("service", ("reset_at", admin.EmptyFieldListFilter))
    fields = fields_of(Incident, without=("id", "epoch", "evidence"))
    readonly_fields = fields
    verbs = {
        "acknowledge": AdminVerb(
            "Acknowledge",
            OPERATE_QUEUE,
            acknowledge,
            "Others see that you look after it.",
            legal=lambda row: not row.acknowledged_at,
        ),
        "take": AdminVerb("Take it", OPERATE_QUEUE, take, "It is yours from now on, and acknowledged."),
        "add_note": AdminVerb(
            "Add a note",
            OPERATE_QUEUE,
            add_note,
            "The reason is the note; it becomes part of the timeline.",
            reason_required=True,
        ),
    }

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("pause")

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export)
        return [path("<int:pk>/markdown/", export, name="circuitbreakers_incident_markdown"), *super().get_urls()]

    @admin.display(description="service", ordering="service")
    def name(self, row: Incident) -> str:
        return service_name(row.service)

    @admin.display(description="opened", ordering="id")
    def opened(self, row: Incident) -> SafeString | str:
        return time(row.opened_at)

    @admin.display(description="at it")
    def at_it(self, row: Incident) -> str:
        return notes.at_it(row) or "nobody"

    @admin.display(description="reset")
    def reset(self, row: Incident) -> SafeString | str:
        return time(row.reset_at) if row.reset_at else state("open")

    def extra_of(self, request: HttpRequest, row: Incident) -> dict[str, Any]:
        return {
            "extra_template": "console/parts/incident_extra.html",
            "timeline": postmortem.entries(row)[:2000],
            "markdown_url": reverse("admin:circuitbreakers_incident_markdown", args=[row.pk]),
        }

    def export(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send the incident as a Markdown file."""
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        answer = HttpResponse(postmortem.markdown(row), content_type="text/markdown; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="incident-{row.pk}.md"'
        return answer


def lift(row: QueuePause, order: Order) -> str:
    if row.key == QueuePause.SYSTEM:
        raise breaker.BreakerRefused("The system's pause is lifted by the queue resume, on the recovery page.")
    said = VERBS["lift"].act(row.service or "all", order)
    if not said.changed:
        raise breaker.BreakerRefused(said.text)
    return said.text


@admin.register(QueuePause)
class QueuePauseAdmin(VerbsAdmin, ReadOnlyAdmin):
    empty_hint = "Nothing was ever paused. Pauses are made on the recovery page, or by a breaker that opens."
    empty_page, empty_label = "console:recovery", "To the recovery page"
    list_display = ("number", "key", "standing", "reason", "actor", "started", "ended", "ended_by", "end_reason")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "key")
    fields = fields_of(QueuePause, without=("id",))
    readonly_fields = fields
    verbs = {
        "lift": AdminVerb(
            VERBS["lift"].label,
            OPERATE_QUEUE,
            lift,
            VERBS["lift"].question,
            legal=lambda row: row.ended_at is None and row.key != QueuePause.SYSTEM,
        )
    }

    @admin.display(description="state")
    def standing(self, row: QueuePause) -> SafeString:
        return state("PAUSED" if row.ended_at is None else "COMPLETED")

    @admin.display(description="since")
    def started(self, row: QueuePause) -> SafeString | str:
        return time(row.started_at)

    @admin.display(description="until")
    def ended(self, row: QueuePause) -> SafeString | str:
        return time(row.ended_at)


class OfSubject(admin.SimpleListFilter):
    """Filters events by what changed. The values are named here: asking the rows for them would read all of them."""

    title = "subject"
    parameter_name = "subject_type__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = ("breaker", "queue", "incident", "campaign", "job", "suppression", "erasure", "user", "token")
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(subject_type=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("when", "subject", "verb", "actor", "door", "reason", "to_incident")
    list_display_links = ("when",)
    list_filter = (OfSubject, "door")
    search_fields = ("=subject_id",)
    search_help_text = "The subject's id, e.g. apollo or a campaign's number."
    fields = fields_of(Event, without=("id",))
    readonly_fields = fields
    list_before_template = "console/parts/events_export.html"

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export)
        return [path("export/", export, name="circuitbreakers_event_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Stream the events of the list as CSV, its filters and search applied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            events = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return redirect(reverse("admin:circuitbreakers_event_changelist"))
        answer = StreamingHttpResponse(events_csv(events), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="events.csv"'
        return answer

    @admin.display(description="when", ordering="id")
    def when(self, row: Event) -> SafeString | str:
        at: datetime = row.at
        return time(at)

    @admin.display(description="subject")
    def subject(self, row: Event) -> str:
        return f"{row.subject_type} {row.subject_id}"

    @admin.display(description="incident")
    def to_incident(self, row: Event) -> SafeString | str:
        return link("circuitbreakers_incident", row.incident_id, row.incident_id)
