"""Load balancers and monitors ask here, without a login, whether this process lives and can do its work."""

from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from api.frame.audience import audience
from api.frame.errors import failure
from api.frame.permissions import EVERYBODY
from api.frame.views import ApiView
from campaigns.models import Process
from circuitbreakers import broker, connections, switch


class Live(serializers.Serializer):
    alive = serializers.BooleanField()


class Ready(serializers.Serializer):
    ready = serializers.BooleanField()
    mode = serializers.ChoiceField(choices=["sandbox", "live"])
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="What is not there; no reason to send the traffic elsewhere."
    )


class Health(ApiView):
    """Requests are not counted here, and nobody is looked up before the answer."""

    required = {"GET": EVERYBODY}
    throttle_classes = ()

    def perform_authentication(self, request: Request) -> None:
        pass


class LiveView(Health):
    """This process answers. Asks nobody else."""

    @extend_schema(tags=["health"], operation_id="live", responses={200: Live})
    def get(self, request: Request) -> Response:
        return Response({"alive": True})


class ReadyView(Health):
    """PostgreSQL and Redis answer. What is not, is named; without workers or supervisor the web is still ready."""

    @extend_schema(
        tags=["health"],
        operation_id="ready",
        responses={200: OpenApiResponse(Ready, description="Ready.")},
    )
    def get(self, request: Request) -> Response:
        fatal, missing = stores_missing(), []
        if "PostgreSQL does not answer" not in fatal:
            missing = processes_missing() + overruns() + connections_left()
        tell = self.may_know(request)
        if fatal:
            what = ": " + "; ".join([*fatal, *missing]) if tell else ""
            return failure(status.HTTP_503_SERVICE_UNAVAILABLE, f"Not ready{what}", 5)
        return Response({"ready": True, "mode": settings.MODE, "missing": missing if tell else []})

    @staticmethod
    def may_know(request: Request) -> bool:
        """Say whether the caller may see what is wrong. Who cannot be looked up is nobody."""
        need = audience(settings.EXPOSE_HEALTH)
        if need == EVERYBODY:
            return True
        try:
            return bool(request.user.has_perm(need))
        except (APIException, DatabaseError, InterfaceError):
            return False


def stores_missing() -> list[str]:
    """Name those of PostgreSQL, Redis and the broker that do not answer."""
    missing: list[str] = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        connection.close()
        missing.append("PostgreSQL does not answer")
    for name, question in (("Redis", ping_switch), ("The message broker", broker.ping)):
        try:
            question()
        except switch.RedisUnavailable:
            missing.append(f"{name} does not answer")
    return missing


def ping_switch() -> Any:
    return switch.ask(switch.client().ping)


def processes_missing() -> list[str]:
    """Name the roles that no live process has."""
    alive = set(Process.objects.alive().values_list("role", flat=True))
    return [f"No live {role}" for role in Process.Role.values if role not in alive]


def connections_left() -> list[str]:
    """Say how few connections PostgreSQL has left, if they are few."""
    return [sentence] if (sentence := connections.read().scarce) else []


def overruns() -> list[str]:
    """Name the steps that hold up the supervisor's round, or did a few minutes ago."""
    alive = Process.objects.alive().filter(role=Process.Role.SUPERVISOR)
    return [sentence for process in alive for sentence in process.overruns(timezone.now())]
