"""The admin shows leads, jobs, calls and processes; campaigns are in campaigns.py."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from campaigns import cancel_job, outcomes, story
from campaigns.contacts.conversations import standings
from campaigns.contacts.names import keys_of
from campaigns.contacts.policy import told
from campaigns.models import Job, Lead, Process, VendorCall
from campaigns.permissions import OPERATE_JOB
from campaigns.retry import retry_job
from console import shared_snapshot
from console.admin.lists import CappedPaginator, ReadOnlyAdmin, clip, fields_of, link, state, time
from console.admin.verbs import AdminVerb, VerbsAdmin
from console.labels import service_name
from console.orders import Order
from console.templatetags.console import usd


class OfCampaignAdmin(ReadOnlyAdmin):
    """This list's rows belong to campaigns, and name them."""

    list_select_related: Any = ("campaign",)

    @admin.display(description="campaign")
    def of_campaign(self, row: Any) -> SafeString | str:
        return link("campaigns_campaign", row.campaign_id, row.campaign)


class OutcomeFilter(admin.SimpleListFilter):
    """Leads by what came of their push, found by the indexes of what came back."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(name, name.capitalize()) for name in outcomes.OUTCOMES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.with_outcome(self.value()) if self.value() in outcomes.OUTCOMES else queryset


@admin.register(Lead)
class LeadAdmin(VerbsAdmin, OfCampaignAdmin):
    empty_hint = "Leads are the people of a campaign: they come from a CSV or from a search at Apollo."
    empty_page, empty_label = "admin:campaigns_campaign_changelist", "To the campaigns"
    list_display = ("name", "email", "company", "of_campaign", "live_state", "live_outcome", "stage", "end_reason")
    list_filter = ("state", OutcomeFilter)
    search_fields = ("email",)
    search_help_text = "A name, a company, a domain, an address, or the beginnings of their words; or a lead's number."
    # Research, sources and mail stand above, as one reads them.
    fields = fields_of(Lead, without=("id", "unfed", "research", "sources", "mail_subject", "mail_body"))
    readonly_fields = fields

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        """Look for a lead's number, or for words, each by its index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isdecimal():
            return queryset.filter(pk=int(term[:18])), False  # no id is longer
        # In no order, so that the search for a word that a million leads have ends after as many as a list shows.
        some = queryset.found_by(term).order_by().values("pk")[: CappedPaginator.MOST]
        return queryset.filter(pk__in=some), False

    @admin.display(description="lead", ordering="id")
    def name(self, row: Lead) -> str:
        return str(row)

    @admin.display(description="state")
    def live_state(self, row: Lead) -> SafeString:
        return state(row.state)

    @admin.display(description="outcome")
    def live_outcome(self, row: Lead) -> SafeString | str:
        return state(row.outcome) if row.outcome else "—"

    def extra_of(self, request: HttpRequest, row: Lead) -> dict[str, Any]:
        snapshot = shared_snapshot.current()
        story_of_lead = story.tell(
            row,
            now=snapshot.at,
            queue={card.service: card.queue for card in snapshot.cards},
            blocked={card.service: card.slowed_until for card in snapshot.cards if card.slowed_until},
            held={card.service: card.budget_halt for card in snapshot.cards if card.budget_halt},
        )
        known = standings(keys_of(row.email, row.apollo_id))
        contact = [f"{key} is {sentence}." for key, one in known.items() if (sentence := told(one))]
        extra = {"story": story_of_lead, "lead": row, "contact": contact}
        return {"extra_template": "console/parts/lead_extra.html", **extra}


def retry(row: Job, order: Order) -> None:
    retry_job(row.pk, actor=order.actor, reason=order.reason)


def cancel(row: Job, order: Order) -> None:
    cancel_job.cancel(row.pk, actor=order.actor, reason=order.reason)


class StatusFilter(admin.SimpleListFilter):
    """Jobs by their state, found by the indexes of their rows."""

    title = "status"
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return list(Job.Status.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return queryset.in_status(value) if value in Job.Status else queryset


@admin.register(Job)
class JobAdmin(VerbsAdmin, OfCampaignAdmin):
    empty_hint = "A job is one vendor call that is to be made: the first ones come when a campaign starts."
    empty_page, empty_label = "admin:campaigns_campaign_changelist", "To the campaigns"
    list_display = ("number", "kind", "of_service", "live_state", "of_campaign", "of_lead", "attempts", "why", "due")
    list_display_links = ("number", "kind")
    list_filter = (StatusFilter, "service")
    search_fields = ("=id",)
    search_help_text = "A job's number."
    list_select_related = ("campaign", "lead")
    fields = fields_of(Job, without=("id", "stored"))
    readonly_fields = fields
    verbs = {
        "retry": AdminVerb(
            "Retry",
            OPERATE_JOB,
            retry,
            "A failed job is put back with fresh attempts, its lead too.",
            legal=lambda row: row.status == Job.Status.FAILED,
        ),
        "cancel": AdminVerb(
            "Cancel",
            OPERATE_JOB,
            cancel,
            "It is not done any more, and its lead is dropped. This cannot be undone.",
            legal=lambda row: row.status in (Job.Status.PENDING, Job.Status.PAUSED),
            reason_required=True,
            danger=True,
        ),
    }

    @admin.display(description="service", ordering="service")
    def of_service(self, row: Job) -> str:
        return service_name(row.service)

    @admin.display(description="state")
    def live_state(self, row: Job) -> SafeString:
        return state(row.status)

    @admin.display(description="lead")
    def of_lead(self, row: Job) -> SafeString | str:
        return link("campaigns_lead", row.lead_id, row.lead)

    @admin.display(description="error")
    def why(self, row: Job) -> SafeString | str:
        return clip(row.error)

    @admin.display(description="ended, or due")
    def due(self, row: Job) -> SafeString | str:
        return time(row.completed_at or row.run_at)


@admin.register(VendorCall)
class VendorCallAdmin(OfCampaignAdmin):
    empty_hint = "Nothing has been called, so nothing was paid: the first calls come when a campaign starts."
    empty_page, empty_label = "admin:campaigns_campaign_changelist", "To the campaigns"
    list_display = (
        *("number", "of_service", "kind", "of_campaign", "of_job"),
        *("at", "duration_ms", "http_status", "live_outcome", "cost", "why"),
    )
    list_filter = ("service", "outcome", "may_be_charged")
    fields = fields_of(VendorCall, without=("id",))
    readonly_fields = fields

    @admin.display(description="service")
    def of_service(self, row: VendorCall) -> str:
        return service_name(row.service)

    @admin.display(description="job")
    def of_job(self, row: VendorCall) -> SafeString | str:
        return link("campaigns_job", row.job_id, row.job_id)

    @admin.display(description="admitted", ordering="admitted_at")
    def at(self, row: VendorCall) -> SafeString | str:
        return time(row.admitted_at)

    @admin.display(description="outcome")
    def live_outcome(self, row: VendorCall) -> SafeString:
        return state(row.outcome)

    @admin.display(description="error")
    def why(self, row: VendorCall) -> SafeString | str:
        return clip(row.error)

    @admin.display(description="cost")
    def cost(self, row: VendorCall) -> str:
        return usd(float(row.cost_usd))


@admin.register(Process)
class ProcessAdmin(ReadOnlyAdmin):
    empty_hint = "Neither worker nor supervisor has run here yet: start them, or nothing moves."
    list_display = ("name", "role", "leading", "started", "seen")
    fields = fields_of(Process)
    readonly_fields = fields

    @admin.display(description="started")
    def started(self, row: Process) -> SafeString | str:
        return time(row.started_at)

    @admin.display(description="seen", ordering="seen_at")
    def seen(self, row: Process) -> SafeString | str:
        return time(row.seen_at)
