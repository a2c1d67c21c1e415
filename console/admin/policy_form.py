"""The form of a service's row in `breakers`: its policy, and its limits as far as they are set by hand."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from circuitbreakers import limits, policy
from circuitbreakers.models import Breaker
from circuitbreakers.storable import REASON_LENGTH

POLICY = tuple(policy.Policy.__dataclass_fields__)
COLUMNS = (*POLICY, *limits.KNOBS)
FIELDSETS: list[tuple[str | None, dict[str, Any]]] = [
    ("How fast it is called", {"fields": (*limits.KNOBS, "above_published")}),
    ("When its breaker opens", {"fields": POLICY}),
    (None, {"fields": ("reason", "seen_version")}),
]


class PolicyForm(forms.ModelForm):
    above_published = forms.BooleanField(
        required=False,
        label="Above what the vendor publishes",
        help_text="Tick it if the rate limits are to be above that: your plan allows more.",
    )
    reason = forms.CharField(
        required=False, max_length=REASON_LENGTH, help_text="Why; it becomes part of the record. Limits need one."
    )
    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Breaker
        fields = COLUMNS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "seen_version" in self.fields:
            self.fields["seen_version"].initial = self.instance.version

    def clean(self) -> dict[str, Any]:
        """Refuse a ceiling of the wait that lies below the wait, limits that make no sense, and to write over what
        somebody else has edited since the page was made."""
        data = super().clean() or {}
        wait, ceiling = data.get("reset_timeout"), data.get("reset_timeout_ceiling")
        if wait and ceiling and ceiling < wait:
            self.add_error("reset_timeout_ceiling", "This must be at least the reset timeout.")
        knobs = {name: data[name] for name in limits.KNOBS if name in self.changed_data and name in data}
        try:
            data |= limits.checked(self.instance.service, knobs, above_published=bool(data.get("above_published")))
        except ValidationError as error:
            self.add_error(None, error)
        if knobs and not data.get("reason"):
            self.add_error("reason", "A reason is needed: it becomes part of the record.")
        # Locked until the edit is saved, in the transaction of Django's view: who comes second is told by the form.
        row = Breaker.objects.select_for_update().get(pk=self.instance.pk)
        if data.get("seen_version") not in (None, row.version):
            self.add_error(None, limits.edited_meanwhile(row.service))
        return data
