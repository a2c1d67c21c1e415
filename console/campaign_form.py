"""A campaign's settings are edited by this form; a pasted search becomes parameters, and the edit one event."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from campaigns import apollo_url
from campaigns.models import Campaign
from circuitbreakers import events
from circuitbreakers.events import Actor

EDITABLE = ("name", "search_url", "max_leads", "instantly_campaign_id", "research_prompt", "mail_prompt", "review")


class CampaignForm(forms.ModelForm):
    class Meta:
        model = Campaign
        fields: tuple[str, ...] = EDITABLE
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


class NameForm(CampaignForm):
    class Meta(CampaignForm.Meta):
        fields = ("name",)


class SearchForm(CampaignForm):
    class Meta(CampaignForm.Meta):
        fields = ("search_url", "max_leads")


class PromptsForm(CampaignForm):
    class Meta(CampaignForm.Meta):
        fields = ("research_prompt", "mail_prompt", "review")


def save_edited(campaign: Campaign, form: Any, actor: Actor) -> None:
    """Save what the form has changed, and nothing else: somebody may have paused or cancelled it since it was read."""
    before = {name: form.initial.get(name) for name in form.changed_data}
    fields = [*before, *(["search"] if "search_url" in before else [])]
    if "instantly_campaign_id" in before:
        campaign.target_halt, campaign.target_checked_at = "", None  # the new one is asked soon
        fields += ["target_halt", "target_checked_at"]
    campaign.save(update_fields=fields)
    if before:
        after = {name: getattr(campaign, name) for name in before}
        events.record("campaign", campaign.pk, "edited", actor=actor, before=before, after=after)
