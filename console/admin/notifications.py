"""The admin keeps channels here, and shows what was told, on which of them, and what failed."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.widgets import INPUT_CLASSES, UnfoldAdminCheckboxSelectMultipleWidget

from console.admin.lists import ListAdmin, ReadOnlyAdmin, clip, fields_of, link, state, time
from console.admin.verbs import AdminVerb, VerbsAdmin
from console.orders import Order, actor_of
from notifications import channels
from notifications.kinds import KINDS
from notifications.models import Channel, Delivery, Message
from notifications.permissions import CHANGE_CHANNEL, DELETE_CHANNEL, REPLAY_DELIVERY

NEW_SECRET = (
    "python -c 'import base64, secrets; print(\"whsec_\" + base64.b64encode(secrets.token_bytes(32)).decode())'"  # noqa: S105
)
LEFT_ALONE = "Never shown again. Empty: as it is."


def unseen(autocomplete: str) -> forms.PasswordInput:
    """Return a field whose value no page shows again."""
    return forms.PasswordInput(attrs={"autocomplete": autocomplete, "class": " ".join(INPUT_CLASSES)})


class ChannelForm(forms.ModelForm):
    """The form saves the channel while it is cleaned: what the verb refuses is an error of its field."""

    url = forms.CharField(
        label="URL",
        widget=unseen("off"),
        required=False,
        max_length=channels.LONGEST_URL,
        help_text=f"An Apprise URL such as mailtos://user:password@example.com, or a webhook's. {LEFT_ALONE}",
    )
    secret = forms.CharField(
        label="Signing secret",
        widget=unseen("new-password"),
        required=False,
        max_length=200,
        help_text=f"A webhook's: {NEW_SECRET}. A new one signs at once, the old one for a day along with it. "
        f"{LEFT_ALONE}",
    )
    kinds = forms.MultipleChoiceField(
        choices=[(name, name.replace("_", " ")) for name in KINDS if name not in ("test", "digest")],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text="Told of these alone; none: of all.",
    )
    actor: Any = None

    class Meta:
        model = Channel
        fields = ("name", "kind", "url", "secret", "severity", "kinds", "enabled")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        fields = {name: data[name] for name in ("name", "kind", "severity", "kinds", "enabled") if name in data}
        row = Channel.objects.get(pk=self.instance.pk) if self.instance.pk else Channel()
        for name, value in fields.items():
            setattr(row, name, value)
        try:
            self.said = channels.save(row, url=data.get("url", ""), secret=data.get("secret", ""), actor=self.actor)
        except ValidationError as error:
            raise ValidationError(
                {name if name in self.fields else "__all__": texts for name, texts in error.message_dict.items()}
            ) from None
        self.instance = row
        return data

    def _post_clean(self) -> None:
        """The row is saved by now."""


def test(row: Channel, order: Order) -> str:
    channels.test(row, actor=order.actor)
    return f"A test message to {row.name} is on its way: its delivery says how it went."


def remove(row: Channel, order: Order) -> str:
    name = row.name
    channels.remove(row, actor=order.actor, reason=order.reason)
    return f"Channel {name} is removed."


@admin.register(Channel)
class ChannelAdmin(VerbsAdmin, ListAdmin):
    form = ChannelForm
    list_display = ("name", "kind", "target", "severity", "told", "enabled", "last", "created_by")
    list_display_links = ("name",)
    verbs = {
        "test_channel": AdminVerb(
            "Send a test message", CHANGE_CHANNEL, test, "It goes out at once.", legal=lambda row: row.enabled
        ),
        "remove_channel": AdminVerb(
            "Remove",
            DELETE_CHANNEL,
            remove,
            "Nothing is told there any more, and the log of its deliveries goes with it.",
            danger=True,
        ),
    }

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        """Whoever may not change it sees as much of its target as anybody: the hint."""
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": ("name", "kind", "target", "severity", "kinds", "enabled", "created_by")})]
        shown = ("target",) if obj else ()
        return [(None, {"fields": ("name", "kind", *shown, "url", "secret", "severity", "kinds", "enabled")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("kind", "target", "created_by") if obj else ("target",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"actor": actor_of(request)})

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        self.message_user(request, form.said)

    @admin.display(description="leads to")
    def target(self, row: Channel) -> str:
        return row.hint

    @admin.display(description="told of")
    def told(self, row: Channel) -> SafeString | str:
        return clip(", ".join(row.kinds)) if row.kinds else "everything"

    @admin.display(description="last delivery")
    def last(self, row: Channel) -> SafeString | str:
        latest = row.deliveries.order_by("-queued_at", "-id").first()
        return state(latest.state) if latest else "—"


class MessageOfDelivery(ReadOnlyAdmin):
    """What both lists of the outbox show of a message."""

    @admin.display(description="incident")
    def to_incident(self, row: Any) -> SafeString | str:
        message = getattr(row, "message", row)
        return link("circuitbreakers_incident", message.incident_id, message.incident_id)


@admin.register(Message)
class MessageAdmin(MessageOfDelivery):
    list_display = ("when", "severity", "kind", "subject", "to_incident")
    list_display_links = ("when",)
    list_filter = ("severity", "kind")
    fields = fields_of(Message, without=("id", "key", "facts"))
    readonly_fields = fields

    @admin.display(description="when", ordering="at")
    def when(self, row: Message) -> SafeString | str:
        return time(row.at)


def replay(row: Delivery, order: Order) -> None:
    channels.replay(row, actor=order.actor, reason=order.reason)


@admin.register(Delivery)
class DeliveryAdmin(VerbsAdmin, MessageOfDelivery):
    list_display = ("number", "channel", "subject", "shown_state", "attempts", "queued", "sent", "error", "to_incident")
    list_display_links = ("number",)
    list_filter = ("state", "channel")
    fields = fields_of(Delivery, without=("id",))
    readonly_fields = fields
    verbs = {
        "replay": AdminVerb(
            "Send again",
            REPLAY_DELIVERY,
            replay,
            "Under its old id: who has it already knows it again.",
            legal=lambda row: row.state != Delivery.State.PENDING,
        )
    }

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("channel", "message")

    @admin.display(description="message")
    def subject(self, row: Delivery) -> SafeString | str:
        return clip(row.message.subject)

    @admin.display(description="state")
    def shown_state(self, row: Delivery) -> SafeString:
        return state(row.state)

    @admin.display(description="since", ordering="id")
    def queued(self, row: Delivery) -> SafeString | str:
        return time(row.queued_at)

    @admin.display(description="sent")
    def sent(self, row: Delivery) -> SafeString | str:
        return time(row.sent_at)

    @admin.display(description="last error")
    def error(self, row: Delivery) -> SafeString | str:
        return clip(row.last_error)
