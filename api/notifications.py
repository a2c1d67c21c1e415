"""The API's views of channels and deliveries show them, send a test and send again. The console makes channels."""

from typing import Any

import django_filters
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import Reason
from api.filters import number
from api.frame.views import ApiView, Listing
from notifications import channels
from notifications.kinds import KINDS, SEVERITIES
from notifications.models import Channel, Delivery
from notifications.permissions import CHANGE_CHANNEL, REPLAY_DELIVERY, VIEW_CHANNEL, VIEW_DELIVERY


class ChannelShown(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Channel.Kind.choices)
    severity = serializers.ChoiceField(choices=SEVERITIES, help_text="The least that it is told.")
    kinds = serializers.ListField(child=serializers.CharField(), help_text="Told of these alone; none: of all.")
    enabled = serializers.BooleanField()
    hint = serializers.CharField(help_text="As much of its target as is ever shown.")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class ChannelList(serializers.Serializer):
    channels = ChannelShown(many=True)
    troubles = serializers.ListField(child=serializers.CharField(), help_text="Of those that do not get through.")


class Told(serializers.Serializer):
    id = serializers.CharField()
    action = serializers.CharField()
    message = serializers.CharField()


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    channel_name = serializers.CharField(source="channel.name", read_only=True)
    kind = serializers.ChoiceField(source="message.kind", choices=list(KINDS), read_only=True)
    severity = serializers.ChoiceField(source="message.severity", choices=SEVERITIES, read_only=True)
    subject = serializers.CharField(source="message.subject", read_only=True)
    incident = serializers.IntegerField(source="message.incident_id", read_only=True, allow_null=True)

    class Meta:
        model = Delivery
        fields = (
            *("id", "message", "channel", "channel_name", "kind", "severity", "subject", "incident"),
            *("state", "attempts", "next_at", "last_error", "queued_at", "sent_at"),
        )
        read_only_fields = fields


class DeliveryFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(choices=Delivery.State.choices)
    channel = number()
    kind = django_filters.ChoiceFilter(field_name="message__kind", choices=[(name, name) for name in KINDS])


class Channels(ApiView):
    """The ways on which people are told, and which of them do not get through. Their targets are shown to nobody."""

    required = {"GET": VIEW_CHANNEL}

    @extend_schema(tags=["notifications"], operation_id="list_channels", responses={200: ChannelList})
    def get(self, request: Request) -> Response:
        rows = [channels.as_dict(row) for row in Channel.objects.all()]
        return Response({"channels": rows, "troubles": channels.troubles()})


class TestChannel(ApiView):
    """Send a test message to one channel; its delivery says how it went."""

    required = {"POST": CHANGE_CHANNEL}
    refusals = {channels.ChannelRefused: 409}
    serializer_class = Reason
    queryset = Channel.objects.all()

    @extend_schema(tags=["notifications"], operation_id="test_channel", request=None, responses={200: Told})
    def post(self, request: Request, pk: int) -> Response:
        channel = get_object_or_404(Channel, pk=pk)
        message = channels.test(channel, actor=self.actor)
        return Response(
            {"id": message.pk, "action": "test", "message": f"A test message to {channel.name} is on its way."}
        )


@extend_schema_view(get=extend_schema(tags=["notifications"], operation_id="list_deliveries"))
class Deliveries(Listing):
    """Messages on their way to channels, newest first, with what became of them."""

    required = {"GET": VIEW_DELIVERY}
    queryset = Delivery.objects.select_related("channel", "message")
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    search_fields = ("message__subject", "last_error")
    ordering_fields = ("id", "queued_at")


class Replay(ApiView):
    """Send a message again to its channel, under its old id."""

    required = {"POST": REPLAY_DELIVERY}
    refusals = {channels.ChannelRefused: 409}
    serializer_class = Reason
    queryset = Delivery.objects.all()

    @extend_schema(tags=["notifications"], operation_id="replay_delivery", request=Reason, responses={200: Told})
    def post(self, request: Request, pk: int) -> Response:
        body: dict[str, Any] = self.body()
        delivery = get_object_or_404(Delivery.objects.select_related("channel"), pk=pk)
        channels.replay(delivery, actor=self.actor, reason=body["reason"])
        return Response(
            {"id": pk, "action": "replay", "message": f"Delivery {pk} to {delivery.channel} is sent again."}
        )
