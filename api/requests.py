"""These serializers say what callers may send about campaigns."""

from typing import Any

from django.core.validators import MaxLengthValidator
from rest_framework import serializers

from campaigns.apollo_url import ApolloSearch, from_url
from campaigns.contacts.policy import MOST_DAYS, MOST_PEOPLE
from campaigns.leads.csvfile import ENCODINGS
from campaigns.models import Campaign
from campaigns.prompt_templates import MAX_TEMPLATE, clean_template
from circuitbreakers.storable import REASON_LENGTH

# Apollo's app makes long URLs, a web server takes no longer ones.
MAX_URL = 8000


class Delimited(serializers.Serializer):
    """How a CSV is to be read, where what is recognised will not do."""

    delimiter = serializers.CharField(
        required=False,
        max_length=20,
        trim_whitespace=False,
        help_text="A character, or `comma`, `semicolon`, `tab`, `pipe`; recognised when not given.",
    )


class CsvUpload(Delimited):
    """A CSV file: as a file of a multipart form, or as text."""

    csv = serializers.FileField(
        required=False, help_text="Leads in Apollo's export format, or any CSV with an address."
    )
    encoding = serializers.ChoiceField(choices=ENCODINGS, required=False, help_text="Of the file, if it is not UTF-8.")


class LeadsUpload(CsvUpload):
    """The leads of a campaign that is there."""

    dry_run = serializers.BooleanField(default=False, help_text="Say what would happen, and change nothing.")


class CsvText(Delimited):
    """The same as text in JSON."""

    csv = serializers.CharField(required=False, trim_whitespace=False, validators=[MaxLengthValidator(1_000_000)])


class PolicyRequest(serializers.Serializer):
    """Where a campaign departs from the installation's contact policy; what is not given follows it."""

    reason = serializers.CharField(max_length=REASON_LENGTH)
    exclusive = serializers.BooleanField(
        required=False, help_text="Leave alone who is in another campaign's conversation."
    )
    cooldown_days = serializers.IntegerField(
        required=False, min_value=0, max_value=MOST_DAYS, help_text="Since another campaign's last push; 0: any time."
    )
    domain_people = serializers.IntegerField(
        required=False, min_value=0, max_value=MOST_PEOPLE, help_text="Of one registrable domain; 0: any number."
    )
    domain_days = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_DAYS, help_text="In which they are counted."
    )


class CampaignFields(serializers.Serializer):
    """What a new campaign is told. Status, owner and times are never taken from a caller."""

    name = serializers.CharField(max_length=200)
    max_leads = serializers.IntegerField(min_value=1, max_value=50_000, default=100)
    apollo_url = serializers.CharField(
        max_length=MAX_URL,
        required=False,
        allow_blank=True,
        default="",
        help_text="A people search, from Apollo's app.",
    )
    instantly_campaign_id = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    research_prompt = serializers.CharField(max_length=MAX_TEMPLATE, required=False, allow_blank=True, default="")
    mail_prompt = serializers.CharField(max_length=MAX_TEMPLATE, required=False, allow_blank=True, default="")
    review = serializers.ChoiceField(
        Campaign.Review.choices, default=Campaign.Review.OFF, help_text="Which mails somebody reads before the push."
    )

    # What the URL asks for, once it has been validated.
    search: ApolloSearch | None = None

    def validate_apollo_url(self, value: str) -> str:
        if value:
            try:
                self.search = from_url(value)
            except ValueError as error:
                raise serializers.ValidationError(str(error)) from None
        return value

    def validate_research_prompt(self, value: str) -> str:
        return clean_template(value, "research")

    def validate_mail_prompt(self, value: str) -> str:
        return clean_template(value, "mail")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("csv") and attrs.get("apollo_url"):
            raise serializers.ValidationError({"csv": ["Give a CSV or an Apollo search, not both."]})
        return attrs


class CampaignForm(CampaignFields, CsvUpload):
    """A new campaign as a multipart form."""


class CampaignJson(CampaignFields, CsvText):
    """A new campaign as JSON."""
