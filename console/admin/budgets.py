"""The admin shows budgets, with what is spent of each; an edit is a verb's, with its reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.safestring import SafeString

from campaigns import budgets
from circuitbreakers import budget_counters, budget_verbs, switch
from circuitbreakers.budget import BudgetInvalid, limits_in_words
from circuitbreakers.budget_halts import spent_in_words
from circuitbreakers.models import Budget
from circuitbreakers.permissions import CHANGE_BUDGET
from console.admin.lists import ListAdmin, clip, time
from console.admin.verbs import AdminVerb, VerbsAdmin
from console.orders import Order, actor_of


class BudgetForm(forms.ModelForm):
    """The form sets the budget while it is cleaned: what the verb refuses is an error of the form."""

    seen = forms.IntegerField(widget=forms.HiddenInput, initial=0, required=False)
    actor: Any = None

    class Meta:
        model = Budget
        fields = ("scope", "period", "limit_usd", "limit_calls", "reason")
        help_texts = {
            "scope": "system, service:NAME or campaign:ID.",
            "period": "UTC. system: day or month; service: day; campaign: total or day.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = self.instance.version if self.instance.pk else 0
        self.fields["reason"].required = True
        if self.instance.pk and not self.is_bound:
            self.initial["reason"] = ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        scope = self.instance.scope if self.instance.pk else data["scope"]
        period = self.instance.period if self.instance.pk else data["period"]
        try:
            row, self.said = budgets.set_budget(
                scope,
                period,
                usd=data.get("limit_usd"),
                calls=data.get("limit_calls"),
                actor=self.actor,
                reason=data["reason"],
                version=data.get("seen") or 0,
            )
        except (BudgetInvalid, budget_verbs.BudgetRefused) as error:
            raise ValidationError(str(error)) from None
        self.instance = row
        return data

    def _post_clean(self) -> None:
        """The row is saved by now."""


def remove(row: Budget, order: Order) -> str:
    budget_verbs.remove(row.scope, row.period, actor=order.actor, reason=order.reason, version=row.version)
    return f"The budget of {row.scope} ({row.period}) is removed."


@admin.register(Budget)
class BudgetAdmin(VerbsAdmin, ListAdmin):
    form = BudgetForm
    empty_hint = "No budget limits anything: what campaigns may spend in a day or a month is said here."
    list_display = ("scope", "period", "limits", "spent", "halt", "set_by", "why", "set_on")
    list_display_links = ("scope",)
    search_fields = ("scope",)
    verbs = {
        "remove_budget": AdminVerb(
            "Remove",
            CHANGE_BUDGET,
            remove,
            "Nothing limits the scope for that period any more; work that waits goes on.",
            reason_required=True,
            danger=True,
        )
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("scope", "period") if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"actor": actor_of(request)})

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:
        self.message_user(request, form.said)

    @admin.display(description="limits")
    def limits(self, row: Budget) -> str:
        return limits_in_words(row.limit_usd, row.limit_calls, row.period)

    @admin.display(description="spent")
    def spent(self, row: Budget) -> str:
        try:
            return spent_in_words(row, budget_counters.read())
        except switch.RedisUnavailable:
            return "Redis does not answer"

    @admin.display(description="reason")
    def why(self, row: Budget) -> SafeString | str:
        return clip(row.reason)

    @admin.display(description="set")
    def set_on(self, row: Budget) -> SafeString | str:
        return time(row.set_at)
