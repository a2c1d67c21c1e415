"""The API's verbs on an incident: say that one is at it, whose it is, and what is known."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import IncidentSerializer, Reason
from api.frame.views import ApiView
from circuitbreakers import breaker, notes
from circuitbreakers.events import NAME_LENGTH
from circuitbreakers.models import Incident
from circuitbreakers.permissions import OPERATE_QUEUE
from circuitbreakers.storable import REASON_LENGTH


class AssignRequest(Reason):
    to = serializers.CharField(max_length=NAME_LENGTH, required=False, help_text="An active user; without it, oneself.")


class NoteRequest(serializers.Serializer):
    text = serializers.CharField(max_length=REASON_LENGTH)


class IncidentDone(serializers.Serializer):
    action = serializers.CharField()
    changed = serializers.BooleanField()
    message = serializers.CharField()
    incident = IncidentSerializer()


class IncidentVerb(ApiView):
    """An IncidentVerb acts on the incident in the path."""

    required = {"POST": OPERATE_QUEUE}
    refusals = {breaker.BreakerRefused: 409}
    queryset = Incident.objects.all()
    serializer_class: Any = Reason

    def answer(self, pk: int, action: str, changed: bool, message: str) -> Response:
        incident = IncidentSerializer(Incident.objects.get(pk=pk)).data
        return Response({"action": action, "changed": changed, "message": message, "incident": incident})


class Acknowledge(IncidentVerb):
    """Say that somebody looks after it: nobody is reminded of it any more."""

    @extend_schema(
        tags=["incidents"], operation_id="acknowledge_incident", request=Reason, responses={200: IncidentDone}
    )
    def post(self, request: Request, pk: int) -> Response:
        get_object_or_404(Incident, pk=pk)
        changed = notes.acknowledge(pk, actor=self.actor, reason=self.body()["reason"])
        did = "is acknowledged" if changed else "was acknowledged already"
        return self.answer(pk, "acknowledge", changed, f"Incident {pk} {did}.")


class Assign(IncidentVerb):
    """Say whose it is; that acknowledges it, too."""

    serializer_class = AssignRequest

    @extend_schema(
        tags=["incidents"], operation_id="assign_incident", request=AssignRequest, responses={200: IncidentDone}
    )
    def post(self, request: Request, pk: int) -> Response:
        get_object_or_404(Incident, pk=pk)
        body = self.body()
        to = body.get("to") or self.actor.name
        changed = notes.assign(pk, to, actor=self.actor, reason=body["reason"])
        return self.answer(pk, "assign", changed, f"Incident {pk} {'is' if changed else 'was already'} {to}'s.")


class Note(IncidentVerb):
    """Append a note to its timeline."""

    serializer_class = NoteRequest

    @extend_schema(tags=["incidents"], operation_id="note_incident", request=NoteRequest, responses={200: IncidentDone})
    def post(self, request: Request, pk: int) -> Response:
        get_object_or_404(Incident, pk=pk)
        notes.note(pk, actor=self.actor, text=self.body()["text"])
        return self.answer(pk, "note", True, f"The note is on the timeline of incident {pk}.")
