"""Changing a password is put on record and revokes the API tokens that the old one got."""

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from api.models import ApiToken
from circuitbreakers import events
from console.orders import actor_of


def changed(user: User, actor: events.Actor) -> None:
    """Record a changed password and revoke the user's tokens, in the caller's transaction. Sessions end anyway."""
    tokens = ApiToken.objects.filter(user=user)
    name = user.get_username()
    for row in tokens:
        before = {"name": row.name, "user": name}
        events.record("token", row.token_key, "revoked", actor=actor, reason="password changed", before=before)
    count, _ = tokens.delete()
    events.record("user", name[:60], "password_changed", actor=actor, after={"tokens_revoked": count})


class OwnPasswordView(PasswordChangeView):
    """Changes one's own password as Django does, and also records that and revokes the user's tokens."""

    form_class = AdminOwnPasswordChangeForm

    def form_valid(self, form: AdminOwnPasswordChangeForm) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            changed(form.user, actor_of(self.request))
        return answer


def change_own(request: HttpRequest) -> HttpResponseBase:
    """Show the admin's page for changing one's own password, and change it."""
    request.current_app = admin.site.name
    view = OwnPasswordView.as_view(
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)
