"""Campaigns are made, edited, started, paused, resumed, cancelled, duplicated and exported in the admin."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.text import slugify

from campaigns import apollo_url, estimate, first_leads, funnel, lifecycle, spend, tallies, targets
from campaigns.duplicate import duplicate as make_duplicate
from campaigns.leads.exporting import export_csv
from campaigns.models import Campaign
from campaigns.moves import warnings_of
from campaigns.permissions import ADD_CAMPAIGN, OPERATE_CAMPAIGN
from campaigns.tallies import LeadTally
from circuitbreakers import events
from circuitbreakers.models import Event
from console import contacts, imports
from console.admin.lists import ListAdmin, clip, state, time
from console.admin.verbs import AdminVerb, VerbsAdmin
from console.orders import Order, actor_of

Status = Campaign.Status
# The start form says what so many leads cost, beside all of them.
SOME = 10
EDITABLE = ("name", "search_url", "max_leads", "instantly_campaign_id", "research_prompt", "mail_prompt")


def calls(verb: Callable[..., object]) -> Callable[[Campaign, Order], None]:
    """Return a verb of campaigns/lifecycle.py in the form that an AdminVerb runs."""

    def run(row: Campaign, order: Order) -> None:
        verb(row.pk, actor=order.actor, reason=order.reason)

    return run


def start(row: Campaign, order: Order) -> str | None:
    lifecycle.start(row.pk, actor=order.actor, reason=order.reason, first=order.first)
    return f"Campaign {row.pk} holds after its first leads." if order.first else None


def foretold(rows: Sequence[Campaign]) -> list[str]:
    """Say before a start what each campaign will cost, what its first leads alone, and what will not last for all."""
    lines = []
    for row in rows:
        if row.status == Status.CREATED:
            first = estimate.of_campaign(row, first=SOME).sentence
            lines.append(f"{row.name}: {estimate.of_campaign(row).sentence} {first}")
            lines += [f"Warning: {warning}" for warning in warnings_of(row)]
    return list(dict.fromkeys(lines))


def retry_failed(row: Campaign, order: Order) -> str:
    count = lifecycle.retry_failed(row.pk, actor=order.actor, reason=order.reason)
    return f"{count:,} failed jobs of campaign {row.pk} are put back."


def duplicate(row: Campaign, order: Order) -> str:
    return f"Campaign {make_duplicate(row, actor=order.actor).pk} is a copy of {row.pk}, without its leads."


VERBS = {
    "start": AdminVerb(
        "Start",
        OPERATE_CAMPAIGN,
        start,
        "Its leads go through all services; that costs money.",
        legal=lambda row: row.status == Status.CREATED,
        may_hold=True,
        foretold=foretold,
    ),
    "go_on": AdminVerb(
        "Go on",
        OPERATE_CAMPAIGN,
        calls(first_leads.go_on),
        "All leads, after the first ones: what is written is pushed.",
        legal=lambda row: row.first_leads is not None and not row.finished,
        foretold=lambda rows: [f"Warning: {text}" for row in rows for text in warnings_of(row)],
    ),
    "pause": AdminVerb(
        "Pause",
        OPERATE_CAMPAIGN,
        calls(lifecycle.pause),
        "A pause of your own survives a queue resume.",
        legal=lambda row: row.status in (Status.RUNNING, Status.PAUSED) and not row.operator_paused_at,
        reason_required=True,
    ),
    "resume": AdminVerb(
        "Resume",
        OPERATE_CAMPAIGN,
        calls(lifecycle.resume),
        "Lifts an operator's pause. The system's, the queue resume.",
        legal=lambda row: row.status == Status.PAUSED and not row.system_paused_at,
    ),
    "retry_failed": AdminVerb(
        "Retry what failed",
        OPERATE_CAMPAIGN,
        retry_failed,
        "Paying only for what was not paid.",
        legal=lambda row: row.status not in (Status.CREATED, Status.CANCELLED),
    ),
    "cancel": AdminVerb(
        "Cancel",
        OPERATE_CAMPAIGN,
        calls(lifecycle.cancel),
        "It ends for good; a call in flight finishes and is booked.",
        legal=lambda row: not row.finished,
        reason_required=True,
        danger=True,
    ),
    "check_target": AdminVerb(
        "Check the target now",
        OPERATE_CAMPAIGN,
        calls(targets.check),
        "Asks Instantly whether it sends, rather than within five minutes. Costs nothing.",
        legal=lambda row: not row.finished and bool(row.instantly_campaign_id),
    ),
    "duplicate": AdminVerb("Duplicate", ADD_CAMPAIGN, duplicate, "Its settings, not its leads."),
}


class CampaignForm(forms.ModelForm):
    class Meta:
        model = Campaign
        fields = EDITABLE
        help_texts = {
            "search_url": "Paste a people search from Apollo's app. Leave it empty for leads from a CSV.",
        }

    def clean(self) -> dict[str, Any]:
        """A pasted search becomes parameters; what of it has no effect is said after saving."""
        data = super().clean() or {}
        self.ignored: list[str] = []
        if data.get("search_url") and "search_url" in self.changed_data:
            try:
                search = apollo_url.from_url(data["search_url"])
            except ValueError as error:
                raise ValidationError({"search_url": str(error)}) from None
            self.instance.search, self.ignored = search.params, search.messages
        elif "search_url" in self.changed_data:
            self.instance.search = None
        return data


@admin.register(Campaign)
class CampaignAdmin(VerbsAdmin, ListAdmin):
    form = CampaignForm
    list_display = ("number", "name", "live_state", "message", "leads", "pushed", "made_by", "made")
    list_display_links = ("number", "name")
    list_filter = ("status",)
    search_fields = ("name",)
    verbs = VERBS
    fields = EDITABLE

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The source of a campaign's leads is fixed once it has begun."""
        if obj is None or obj.status == Status.CREATED:
            return []
        return ["search_url", "max_leads", "instantly_campaign_id"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a campaign that has never run can be deleted: calls that were paid stay on the books."""
        fresh = obj is None or obj.status == Status.CREATED
        return bool(fresh and super().has_delete_permission(request, obj))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        leads = LeadTally.objects.filter(campaign_id=OuterRef("pk")).order_by().values("campaign_id")
        number = leads.annotate(n=Sum("number")).values("n")
        pushed = leads.filter(state="PUSHED").annotate(n=Sum("number")).values("n")
        rows = super().get_queryset(request)
        return rows.annotate(leads_in_all=Subquery(number), leads_pushed=Subquery(pushed))

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export)
        return [
            path("<int:pk>/export/", export, name="campaigns_campaign_export"),
            *imports.urls(),
            *contacts.urls(),
            *super().get_urls(),
        ]

    @admin.display(description="state", ordering="status")
    def live_state(self, row: Campaign) -> SafeString:
        return state(row.status)

    @admin.display(description="message")
    def message(self, row: Campaign) -> SafeString | str:
        parts = (row.status_message, row.waits_for_target, row.waits_for_budget, first_leads.shortly(row))
        return clip(" ".join(filter(None, parts)))

    @admin.display(description="leads")
    def leads(self, row: Any) -> str:
        return f"{row.leads_in_all or 0:,}"

    @admin.display(description="pushed")
    def pushed(self, row: Any) -> str:
        return f"{row.leads_pushed or 0:,}"

    @admin.display(description="made by")
    def made_by(self, row: Campaign) -> str:
        return row.created_by or "—"

    @admin.display(description="made", ordering="id")
    def made(self, row: Campaign) -> SafeString | str:
        return time(row.created_at)

    def extra_of(self, request: HttpRequest, row: Campaign) -> dict[str, Any]:
        spent = spend.by_service(campaign=row.pk)
        return {
            "extra_template": "console/parts/campaign_extra.html",
            "campaign": row,
            "estimate": estimate.of_campaign(row).sentence if row.status == Status.CREATED else "",
            "numbers": tallies.progress([row.pk])[row.pk],
            "funnel": funnel.of_campaign(row.pk),
            "spend": {name: sums for name, sums in spent.items() if sums.calls},
            "history": Event.objects.filter(subject_type="campaign", subject_id=str(row.pk))[:100],
            "first_leads_hold": first_leads.hold_of(row),
            "written": first_leads.written(row),
            "export_url": reverse("admin:campaigns_campaign_export", args=[row.pk]),
        }

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if change:
            before = {name: form.initial.get(name) for name in form.changed_data}
            # Only what was edited: somebody may have paused or cancelled it since the row was read.
            fields = [*before, *(["search"] if "search_url" in before else [])]
            if "instantly_campaign_id" in before:
                obj.target_halt, obj.target_checked_at = "", None  # the new one is asked soon
                fields += ["target_halt", "target_checked_at"]
            obj.save(update_fields=fields)
            if before:
                after = {name: getattr(obj, name) for name in before}
                events.record("campaign", obj.pk, "edited", actor=actor, before=before, after=after)
        else:
            campaign = lifecycle.create(
                actor=actor, search=obj.search, **{name: getattr(obj, name) for name in EDITABLE}
            )
            obj.pk, obj.created_by = campaign.pk, campaign.created_by
            obj._state.adding = False
        for text in form.ignored:
            self.message_user(request, text, level="WARNING")

    def delete_model(self, request: HttpRequest, obj: Campaign) -> None:
        actor = actor_of(request)
        events.record("campaign", obj.pk, "deleted", actor=actor, before={"name": obj.name})
        super().delete_model(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return counts instead of a tree of every lead."""
        numbers = tallies.progress(row.pk for row in objs)
        lines = [f"Campaign {row.pk}: {row.name}, with {sum(numbers[row.pk].leads.values()):,} leads" for row in objs]
        return lines, {"campaigns": len(lines)}, set(), []

    def export(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Stream all leads as CSV."""
        campaign = Campaign.objects.filter(pk=pk).first()
        if campaign is None or not self.has_view_permission(request, campaign):
            raise Http404
        answer = StreamingHttpResponse(export_csv(campaign), content_type="text/csv; charset=utf-8")
        name = slugify(campaign.name)[:60] or "campaign"
        answer["Content-Disposition"] = f'attachment; filename="{campaign.pk}-{name}.csv"'
        return answer
