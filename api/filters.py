"""The lists can be narrowed by these. Numbers have the database's bounds, so that no value is too large for it."""

from typing import Any

import django_filters

from campaigns import outcomes
from campaigns.leads.suppression import check
from campaigns.models import (
    KIND_CHOICES,
    OUTCOME_CHOICES,
    SERVICE_CHOICES,
    STAGE_CHOICES,
    Campaign,
    Job,
    JobQuerySet,
    Lead,
    Suppression,
)

BIGGEST = 2**63 - 1


def number(**details: Any) -> django_filters.NumberFilter:
    """Return a filter by the key of another row."""
    return django_filters.NumberFilter(min_value=0, max_value=BIGGEST, decimal_places=0, **details)


class CampaignFilter(django_filters.FilterSet):
    status = django_filters.MultipleChoiceFilter(choices=Campaign.Status.choices)
    created_by = django_filters.CharFilter()
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")


class LeadFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=Lead.State.choices)
    stage = django_filters.ChoiceFilter(choices=STAGE_CHOICES)
    outcome = django_filters.ChoiceFilter(
        choices=[(name, name) for name in outcomes.OUTCOMES], method="by_outcome", label="What came of its push."
    )
    email = django_filters.CharFilter(method="by_email", label="The whole address, in any case.")
    company = django_filters.CharFilter(lookup_expr="iexact")

    def by_outcome(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.with_outcome(value)

    def by_email(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(email=value.strip().lower())


class AllLeadsFilter(LeadFilter):
    campaign = number()


class WaitingFilter(django_filters.FilterSet):
    campaign = number()


class JobFilter(django_filters.FilterSet):
    campaign = number()
    lead = number()
    service = django_filters.ChoiceFilter(choices=SERVICE_CHOICES)
    kind = django_filters.ChoiceFilter(choices=KIND_CHOICES)
    status = django_filters.MultipleChoiceFilter(choices=Job.Status.choices, method="by_status")

    def by_status(self, queryset: JobQuerySet, name: str, value: list[str]) -> JobQuerySet:
        return queryset.in_status(*value) if value else queryset


class VendorCallFilter(django_filters.FilterSet):
    campaign = number()
    job = number()
    service = django_filters.ChoiceFilter(choices=SERVICE_CHOICES)
    kind = django_filters.ChoiceFilter(choices=KIND_CHOICES)
    outcome = django_filters.ChoiceFilter(choices=OUTCOME_CHOICES)
    may_be_charged = django_filters.BooleanFilter()
    admitted_after = django_filters.IsoDateTimeFilter(field_name="admitted_at", lookup_expr="gte")
    admitted_before = django_filters.IsoDateTimeFilter(field_name="admitted_at", lookup_expr="lt")


class SuppressionFilter(django_filters.FilterSet):
    cause = django_filters.MultipleChoiceFilter(choices=Suppression.Cause.choices)
    source = django_filters.CharFilter(label="The door that it came through.")
    value = django_filters.CharFilter(method="by_value", label="The whole address or domain, in any notation.")
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    def by_value(self, queryset: Any, name: str, value: str) -> Any:
        (checked,) = check([value])
        return queryset.filter(value=checked.value)


class IncidentFilter(django_filters.FilterSet):
    service = django_filters.ChoiceFilter(choices=SERVICE_CHOICES)
    # Not a boolean filter: that one ignores what it does not understand, and shows all.
    open = django_filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")], method="by_open", label="Not yet reset."
    )

    def by_open(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(reset_at__isnull=value == "true")


class EventFilter(django_filters.FilterSet):
    subject_type = django_filters.CharFilter()
    subject_id = django_filters.CharFilter()
    verb = django_filters.CharFilter()
    actor = django_filters.CharFilter()
    door = django_filters.CharFilter()
    incident = number()
    after = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label="From this instant on.")
    before = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label="Before this instant.")
