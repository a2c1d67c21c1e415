"""Campaigns are made, edited and exported in the admin; what is done to them is in campaign_verbs.py."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.text import slugify

from campaigns import first_leads, lifecycle, tallies
from campaigns.leads.exporting import export_csv
from campaigns.models import Campaign, Lead
from campaigns.tallies import LeadTally
from circuitbreakers import events
from circuitbreakers.models import Event
from console import campaign_page, contacts, guided, guided_pages, imports, shared_snapshot
from console.admin.campaign_verbs import VERBS
from console.admin.lists import ListAdmin, clip, state, time
from console.admin.verbs import VerbsAdmin
from console.campaign_form import EDITABLE, CampaignForm, save_edited
from console.orders import actor_of
from console.snapshot import ConsoleSnapshot

Status = Campaign.Status


@admin.register(Campaign)
class CampaignAdmin(VerbsAdmin, ListAdmin):
    form = CampaignForm
    list_before_template = "console/parts/campaigns_links.html"
    empty_page, empty_label = "admin:campaigns_campaign_guided_new", "Make the first one, step by step"
    empty_hint = "A campaign says where its people come from, what is written to them, and where they are pushed."
    list_display = ("number", "name", "live_state", "message", "leads", "pushed", "made_by", "made")
    list_display_links = ("number", "name")
    list_filter = ("status",)
    search_fields = ("name",)
    verbs = VERBS
    fields = EDITABLE
    change_form_before_template = "console/parts/campaign_extra.html"

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
            *guided.urls(),
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
        history = Event.objects.filter(subject_type="campaign", subject_id=str(row.pk))[:100]
        snapshot = shared_snapshot.current()
        return {"history": history, **self.live_context(request, row, snapshot)}

    def live_context(self, request: HttpRequest, row: Campaign, snapshot: ConsoleSnapshot) -> dict[str, Any]:
        """Return the context of the parts of a campaign's page that are polled each second, as the dashboard's are."""
        context = campaign_page.context_of(row, snapshot)
        step = guided_pages.fitting(row, "start")
        context["guided"] = reverse("admin:campaigns_campaign_guided", args=[row.pk, step]) if step else ""
        return {**context, "verb_buttons": self.buttons(request, row), "live_page": f"campaign-{row.pk}"}

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if change:
            save_edited(obj, form, actor)
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
        """Stream all leads as CSV, or those in the `state` of the address."""
        campaign = Campaign.objects.filter(pk=pk).first()
        if campaign is None or not self.has_view_permission(request, campaign):
            raise Http404
        state_of_lead = request.GET.get("state", "")
        if state_of_lead and state_of_lead not in Lead.State:
            raise Http404
        answer = StreamingHttpResponse(export_csv(campaign, state_of_lead), content_type="text/csv; charset=utf-8")
        name = "-".join(filter(None, (slugify(campaign.name)[:60] or "campaign", state_of_lead.lower())))
        answer["Content-Disposition"] = f'attachment; filename="{campaign.pk}-{name}.csv"'
        return answer
