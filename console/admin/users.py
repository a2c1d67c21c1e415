"""Users get their password and their role here. Whoever signs in is staff; the role says what a user may do."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts import second_factor
from circuitbreakers import events
from console import passwords
from console.admin.lists import ListAdmin, ReadOnlyAdmin
from console.orders import actor_of

# Importing Django's own admin has registered these two, without Unfold's looks and without our limits.
admin.site.unregister(User)
# Their lists would show the secrets of the second factors.
admin.site.unregister([TOTPDevice, StaticDevice])
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(auth_admin.UserAdmin, ListAdmin):
    """Nobody but a superuser makes or changes a superuser: the Admin role must not lift itself above itself."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "groups")
    search_fields = ("username", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Role", {"fields": ("groups", "is_active")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2", "groups")}),)
    readonly_fields = ("last_login", "date_joined")
    actions = ("take_second_factor",)

    @admin.action(description="Take away the second factor (lost phone)", permissions=["change"])
    def take_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        rows = [row for row in queryset if self._may_touch(request, row)]
        taken = [row.username for row in rows if second_factor.take_away(row, actor=actor_of(request))]
        messages.success(request, f"Second factor taken away: {', '.join(taken) or 'nobody had one'}.")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="role")
    def roles(self, row: User) -> str:
        return "Superuser" if row.is_superuser else ", ".join(group.name for group in row.groups.all()) or "none"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_touch(request, obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_touch(request, obj) and bool(super().has_delete_permission(request, obj))

    @staticmethod
    def _may_touch(request: HttpRequest, obj: Any) -> bool:
        return obj is None or not obj.is_superuser or bool(request.user.is_superuser)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_staff = True
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Django calls this after `save_model`, in the same transaction; the roles are still the old ones here."""
        row = form.instance
        before = rights(row, form.initial["is_active"]) if change else None
        super().save_related(request, form, formsets, change)
        after = {"fields": sorted(form.changed_data), **rights(row, row.is_active)}
        self._record(request, row, "changed" if change else "created", before, after)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        with transaction.atomic():
            self._record(request, obj, "deleted", rights(obj, obj.is_active), None)
            super().delete_model(request, obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        with transaction.atomic():  # the password, its record and the tokens
            return super().user_change_password(request, id, form_url)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Django calls this for a changed password too, which passes no form of ours."""
        if "password" in str(message).lower():
            passwords.changed(obj, actor_of(request))
        return super().log_change(request, obj, message)

    @staticmethod
    def _record(request: HttpRequest, row: User, verb: str, before: Any, after: Any) -> None:
        """Record which of the other fields changed, never what is in them: a password is one of them."""
        actor = actor_of(request)
        events.record("user", row.get_username()[:60], verb, actor=actor, before=before, after=after)


def rights(row: User, active: bool) -> dict[str, Any]:
    """Return all that decides what a user may do: the roles, read now, and whether the login works."""
    return {"roles": sorted(row.groups.values_list("name", flat=True)), "is_active": active}


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin):
    """The three roles; they are ensured after every migration, so there is nothing to edit."""

    list_display = ("name", "members")
    fields = ("name", "rights")
    readonly_fields = fields

    @admin.display(description="users")
    def members(self, row: Group) -> str:
        return ", ".join(user.username for user in row.user_set.all()) or "none"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("user_set")

    @admin.display(description="may")
    def rights(self, row: Group) -> str:
        return "; ".join(row.permissions.order_by("codename").values_list("name", flat=True))
