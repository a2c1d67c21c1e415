"""These serializers describe what the API takes and gives about breakers, pauses, incidents and events."""

from typing import Any

from rest_framework import serializers

from circuitbreakers import incidents
from circuitbreakers.models import Event, Incident
from circuitbreakers.services import SERVICES
from circuitbreakers.storable import REASON_LENGTH

TIMELINE = 1000  # events that come with an incident


class Reason(serializers.Serializer):
    """Why; it becomes part of the record."""

    reason = serializers.CharField(max_length=REASON_LENGTH, required=False, default="", allow_blank=True)


class ResetRequest(Reason):
    force = serializers.BooleanField(default=False, help_text="Even if the probe fails; needs a reason.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["force"] and not attrs["reason"]:
            raise serializers.ValidationError({"reason": ["A forced reset needs a reason."]})
        return attrs


class HoldRequest(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON_LENGTH)
    remind_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When to ask whether the hold is still needed."
    )


class PauseRequest(Reason):
    # Not a choice field: an unknown name is answered in the words of docs/contract.md#http.
    service = serializers.CharField(max_length=100, help_text=f"One of {', '.join(SERVICES)}, or all.")


class Done(serializers.Serializer):
    """What a verb did. `changed` is false when there was nothing to do."""

    service = serializers.CharField()
    action = serializers.CharField()
    changed = serializers.BooleanField()
    message = serializers.CharField()


class Lifted(Done):
    services_still_paused = serializers.ListField(child=serializers.CharField())


class Probed(serializers.Serializer):
    service = serializers.CharField()
    action = serializers.CharField()
    ok = serializers.BooleanField()
    detail = serializers.CharField()
    proves = serializers.CharField(help_text="What a successful health call proves, and what it does not.")
    failure_type = serializers.CharField(allow_null=True)


class EventSerializer(serializers.ModelSerializer[Event]):
    before = serializers.JSONField(read_only=True)
    after = serializers.JSONField(read_only=True)

    class Meta:
        model = Event
        fields = (
            *("id", "at", "subject_type", "subject_id", "verb"),
            *("actor", "door", "reason", "before", "after", "incident"),
        )
        read_only_fields = fields


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    class Meta:
        model = Incident
        fields = (
            *("id", "service", "epoch", "opened_at", "reason", "failure_type", "failures", "campaigns_paused"),
            *("jobs_paused", "reset_at", "reset_by", "reset_reason", "acknowledged_at", "acknowledged_by"),
        )
        read_only_fields = fields


class IncidentDetail(IncidentSerializer):
    evidence = serializers.ListField(child=serializers.JSONField(), read_only=True, help_text="The last failures.")
    timeline = serializers.SerializerMethodField()
    timeline_truncated = serializers.SerializerMethodField()

    class Meta(IncidentSerializer.Meta):
        fields = (*IncidentSerializer.Meta.fields, "evidence", "timeline", "timeline_truncated")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]

    def get_timeline(self, incident: Incident) -> list[dict[str, Any]]:
        """The first 1,000 events from its opening on, oldest first."""
        return EventSerializer(incidents.timeline(incident)[:TIMELINE], many=True).data  # type: ignore[return-value]

    def get_timeline_truncated(self, incident: Incident) -> bool:
        """Whether there are more: page through `/events?incident=` for all of them."""
        return incidents.timeline(incident)[TIMELINE : TIMELINE + 1].exists()
