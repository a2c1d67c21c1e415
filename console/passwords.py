"""A changed password: on record, and the API tokens that the old one got are worth nothing any more."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from api.models import ApiToken
from circuitbreakers import events


def changed(user: User, actor: events.Actor) -> None:
    """Record it and revoke the user's tokens, in the caller's transaction. Sessions end by themselves."""
    tokens = ApiToken.objects.filter(user=user)
    name = user.get_username()
    for row in tokens:
        before = {"name": row.name, "user": name}
        events.record("token", row.token_key, "revoked", actor=actor, reason="password changed", before=before)
    count, _ = tokens.delete()
    events.record("user", name[:60], "password_changed", actor=actor, after={"tokens_revoked": count})


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """Unfold's form for one's own password."""

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            user = super().save(commit)
            changed(user, events.Actor(user.get_username(), "admin"))
        return user


def change_own(request: HttpRequest) -> HttpResponseBase:
    """The admin's page for changing one's own password, with our form."""
    request.current_app = admin.site.name
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)
