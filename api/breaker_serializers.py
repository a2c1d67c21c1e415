"""These serializers describe what the API takes and gives about breakers, pauses, incidents and events."""

from typing import Any

from rest_framework import serializers

from circuitbreakers import incidents
from circuitbreakers.limits import KNOBS, SLOW
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


class PlannedPauseRequest(PauseRequest):
    reason = serializers.CharField(max_length=REASON_LENGTH)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When to remind. Nothing resumes by itself."
    )


class PlannedPause(serializers.Serializer):
    id = serializers.IntegerField()
    service = serializers.CharField()
    reason = serializers.CharField()
    actor = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)


class Reminder(serializers.Serializer):
    """A pause beyond its planned end, or a hold beyond its reminder."""

    service = serializers.CharField()
    due_at = serializers.DateTimeField()
    text = serializers.CharField()


class Done(serializers.Serializer):
    """What a verb did. `changed` is false when there was nothing to do."""

    service = serializers.CharField()
    action = serializers.CharField()
    changed = serializers.BooleanField()
    message = serializers.CharField()


class Lifted(Done):
    services_still_paused = serializers.ListField(child=serializers.CharField())


class Setting(serializers.Serializer):
    """One knob of a service. Who set it, when and why is empty where it is the environment's."""

    value: serializers.Field = serializers.CharField(allow_blank=True)
    environment: serializers.Field = serializers.CharField(
        allow_blank=True, help_text="What holds if nobody has set it by hand."
    )
    by_hand = serializers.BooleanField()
    set_by = serializers.CharField(allow_blank=True)
    set_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


class NumberSetting(Setting):
    value = serializers.IntegerField()
    environment = serializers.IntegerField()


class ServiceLimits(serializers.Serializer):
    """How fast a service may be called."""

    rate_limits = Setting(help_text="COUNT/SECONDS, comma-separated; a burst after a colon; tokens=COUNT/SECONDS.")
    dispatch_window = NumberSetting(help_text="Most messages that may wait in its queue.")
    speed = NumberSetting(help_text="Per cent of all its rate limits.")
    in_force = serializers.CharField(allow_blank=True, help_text="The rate limits at that speed.")
    published = serializers.CharField(help_text="What the vendor publishes.")
    above_published = serializers.BooleanField()
    version = serializers.IntegerField(help_text="To be given back with an edit.")


class LimitsRequest(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON_LENGTH)
    version = serializers.IntegerField(
        min_value=1, help_text="The one that was read: an edit that came since is not written over (409)."
    )
    rate_limits = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, help_text="Empty: the environment's."
    )
    dispatch_window = serializers.IntegerField(required=False, allow_null=True, help_text="null: the environment's.")
    above_published = serializers.BooleanField(
        default=False, help_text="Needed for more than the vendor publishes: your plan allows it."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() & set(KNOBS):
            raise serializers.ValidationError(f"Give {' or '.join(KNOBS)}, or both.")
        return attrs


class SlowRequest(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON_LENGTH)
    percent = serializers.IntegerField(default=SLOW, help_text="Of all its rate limits, 1 to 99.")


class LimitsSet(Done):
    limits = ServiceLimits()


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
            "assigned_to",
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
