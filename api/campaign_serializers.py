"""The API shows rows of campaigns, leads, jobs and calls through these. All are read-only: verbs change things."""

from dataclasses import asdict
from typing import Any, cast

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns import first_leads, funnel, outcomes, tallies
from campaigns.models import Campaign, Job, Lead, VendorCall


class Numbers(serializers.Serializer[tallies.CampaignProgress]):
    leads = serializers.DictField(child=serializers.IntegerField(), help_text="By state.")
    stages = serializers.DictField(child=serializers.IntegerField(), help_text="Open leads by the step they are at.")
    jobs = serializers.DictField(child=serializers.IntegerField(), help_text="By status.")


class ManyCampaigns(serializers.ListSerializer):
    """The numbers of all of a page are read at once."""

    def to_representation(self, data: Any) -> Any:
        rows = list(data)
        child = cast("OfCampaign", self.child)
        child.numbers = tallies.progress(row.pk for row in rows)
        return super().to_representation(rows)


class OfCampaign(serializers.ModelSerializer[Campaign]):
    progress = serializers.SerializerMethodField()
    numbers: dict[int, tallies.CampaignProgress] | None = None

    @extend_schema_field(Numbers)
    def get_progress(self, row: Campaign) -> dict[str, Any]:
        numbers = self.numbers or tallies.progress([row.pk])
        return asdict(numbers[row.pk])


class FunnelNumbers(serializers.Serializer[funnel.Funnel]):
    """How many of a campaign's people got how far."""

    found = serializers.IntegerField()
    verified = serializers.IntegerField(help_text="Their address was found deliverable.")
    written = serializers.IntegerField(help_text="They have a mail.")
    pushed = serializers.IntegerField()
    sent = serializers.IntegerField()
    bounced = serializers.IntegerField()
    replied = serializers.IntegerField()
    unsubscribed = serializers.IntegerField()
    cost_usd = serializers.DecimalField(max_digits=20, decimal_places=6)
    cost_per_pushed_usd = serializers.DecimalField(max_digits=20, decimal_places=6, allow_null=True)
    cost_per_reply_usd = serializers.DecimalField(max_digits=20, decimal_places=6, allow_null=True)


class CampaignSerializer(OfCampaign):
    search = serializers.JSONField(read_only=True)
    contact_policy = serializers.JSONField(
        read_only=True, help_text="Where it departs from the installation's; null: nowhere."
    )
    funnel = serializers.SerializerMethodField()
    first_leads_hold = serializers.SerializerMethodField(
        help_text="That it holds after its first leads, and how far these are; '': it does not."
    )

    def get_first_leads_hold(self, row: Campaign) -> str:
        return first_leads.hold_of(row)

    @extend_schema_field(FunnelNumbers)
    def get_funnel(self, row: Campaign) -> dict[str, Any]:
        return dict(FunnelNumbers(funnel.of_campaign(row.pk)).data)

    class Meta:
        model = Campaign
        fields = (
            *("id", "name", "status", "status_message", "search", "search_url", "max_leads", "instantly_campaign_id"),
            *("target_halt", "target_checked_at", "budget_halt", "first_leads", "first_leads_hold"),
            *("research_prompt", "mail_prompt", "review"),
            *("system_paused_at", "operator_paused_at", "operator_paused_by"),
            *("contact_policy", "contact_policy_reason"),
            *("operator_pause_reason", "progress", "funnel", "created_by", "created_at", "started_at", "finished_at"),
        )
        read_only_fields = fields


class EstimateNumbers(serializers.Serializer):
    leads = serializers.IntegerField(help_text="Open ones, and those that its search may still find.")
    at_most_usd = serializers.DecimalField(max_digits=14, decimal_places=2)
    expected_usd = serializers.DecimalField(
        max_digits=14, decimal_places=2, allow_null=True, help_text="Null while too little was done lately to say."
    )
    days = serializers.IntegerField(help_text="Of the yields that it goes by.")
    sentence = serializers.CharField()


class CampaignSummary(OfCampaign):
    class Meta:
        model = Campaign
        list_serializer_class = ManyCampaigns
        fields = (
            *("id", "name", "status", "status_message", "target_halt", "budget_halt", "first_leads", "max_leads"),
            "progress",
            *("created_by", "created_at", "started_at", "finished_at"),
        )
        read_only_fields = fields


class LeadSerializer(serializers.ModelSerializer[Lead]):
    data = serializers.JSONField(read_only=True, help_text="Further fields of the source.")  # type: ignore[assignment]
    sources = serializers.JSONField(read_only=True)
    outcome = serializers.ChoiceField(
        outcomes.OUTCOMES, allow_blank=True, read_only=True, help_text="What came of its push; '' for nothing yet."
    )

    class Meta:
        model = Lead
        fields = (
            *("id", "campaign", "email", "apollo_id"),
            *("first_name", "last_name", "title", "company", "company_domain"),
            *("data", "state", "stage", "end_reason", "ended_at", "verdict", "research", "sources", "mail_subject"),
            *(
                "mail_body",
                "instantly_lead_id",
                "outcome",
                "sent_at",
                "bounced_at",
                "replied_at",
                "unsubscribed_at",
                "created_at",
            ),
        )
        read_only_fields = fields


class JobSerializer(serializers.ModelSerializer[Job]):
    class Meta:
        model = Job
        fields = (
            *("id", "campaign", "lead", "kind", "service", "part", "status", "error", "failure_type", "without_call"),
            *("attempts", "crashes", "worker", "claimed_at", "lease_until", "run_at", "created_at", "completed_at"),
        )
        read_only_fields = fields


class VendorCallSerializer(serializers.ModelSerializer[VendorCall]):
    class Meta:
        model = VendorCall
        fields = (
            *("id", "service", "kind", "job", "campaign"),
            *("fence", "admitted_at", "duration_ms", "http_status", "outcome"),
            *("error", "request_id", "credits", "tokens_in", "tokens_out", "cost_usd", "worker"),
        )
        read_only_fields = fields


class ImportReportSerializer(serializers.Serializer):
    """What an import took, what it skipped and why."""

    rows = serializers.IntegerField()
    taken = serializers.IntegerField()
    skipped = serializers.DictField(child=serializers.IntegerField(), help_text="Reason -> rows.")
    examples = serializers.ListField(
        child=serializers.ListField(), help_text="The first skipped rows: number as a spreadsheet shows it, reason."
    )
    shortened = serializers.DictField(child=serializers.IntegerField(), help_text="Field -> cells cut to its length.")
    recognised = serializers.DictField(child=serializers.CharField(), help_text="Header -> field.")
    ignored = serializers.ListField(child=serializers.CharField(), help_text="Headers without a meaning here.")
    guessed = serializers.ListField(
        child=serializers.CharField(), help_text="Recognised by their cells, for their headers say nothing."
    )
    header_row = serializers.IntegerField(help_text="The header's row; what stands above it was left out.")
    encoding = serializers.CharField()
    delimiter = serializers.CharField()


class Created(CampaignSerializer):
    messages = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Parts of the Apollo URL that have no effect."
    )
    leads_imported = ImportReportSerializer(read_only=True, allow_null=True)

    class Meta(CampaignSerializer.Meta):
        fields = (*CampaignSerializer.Meta.fields, "messages", "leads_imported")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class Imported(serializers.Serializer):
    campaign = serializers.IntegerField()
    dry_run = serializers.BooleanField(help_text="It says what would happen; nothing was changed.")
    report = ImportReportSerializer()


class Moved(serializers.Serializer):
    id = serializers.IntegerField()
    action = serializers.CharField()
    status = serializers.ChoiceField(choices=Campaign.Status.choices)
    status_message = serializers.CharField(allow_blank=True)


class PolicyFields(serializers.Serializer):
    exclusive = serializers.BooleanField()
    cooldown_days = serializers.IntegerField()
    domain_people = serializers.IntegerField()
    domain_days = serializers.IntegerField()


class PolicySet(serializers.Serializer):
    id = serializers.IntegerField()
    action = serializers.CharField()
    departures = serializers.DictField(help_text="Where it departs from the installation's policy.")
    contact_policy = PolicyFields(help_text="What holds for this campaign now.")


class Retried(serializers.Serializer):
    id = serializers.IntegerField()
    action = serializers.CharField()
    jobs = serializers.IntegerField(help_text="Failed jobs that were put back.")


class Progress(Numbers):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Campaign.Status.choices)
    status_message = serializers.CharField(allow_blank=True)
