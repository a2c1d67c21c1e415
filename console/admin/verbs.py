"""The admin's verbs ask before they act, want a reason, are checked again on the server, and count what they did."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join

from campaigns.first_leads import MOST as MOST_FIRST
from console import plan, shared_snapshot
from console.labels import plural
from console.orders import REFUSALS, Order, OrderRefused, order_of, why

MOST = 1000  # rows of one action
NAMED = 20


@dataclass(frozen=True)
class AdminVerb:
    """An AdminVerb is a button: `run` acts on one row and returns a sentence on what was done; None for the standard.

    `legal` narrows the button to the states where it makes sense (the verb itself refuses the others).
    """

    label: str
    permission: str
    run: Callable[[Any, Order], str | None]
    question: str
    legal: Callable[[Any], bool] = lambda row: True
    reason_required: bool = False
    danger: bool = False
    may_force: bool = False
    may_hold: bool = False
    asks_target: bool = False
    # What is said of the rows before they are acted on, a line each.
    foretold: Callable[[Sequence[Any]], list[str]] = lambda rows: []


class VerbsAdmin:
    """This mixin before ListAdmin makes of `verbs`, by name, actions of the list and buttons on a row's page."""

    verbs: dict[str, AdminVerb] = {}
    change_form_before_template = "console/parts/verb_buttons.html"
    actions_on_top = True
    model: Any
    admin_site: Any

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = dict(super().get_actions(request))  # type: ignore[misc]
        for name, verb in self.verbs.items():
            if request.user.has_perm(verb.permission):
                # Django formats it with the names of the model.
                label = verb.label.replace("%", "%%")
                actions[name] = (partial(_run_action, verb_name=name), name, label)
        return actions

    def get_urls(self) -> list[URLPattern]:
        if not self.verbs:
            return super().get_urls()  # type: ignore[misc]
        view = self.admin_site.admin_view(self.verb_view)
        return [
            path("<path:object_id>/verb/<str:name>/", view, name=self.url_name("verb")),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]
        more = kwargs.pop("extra_context", None) or {}
        if row is not None:
            more = {"verb_buttons": self.buttons(request, row), **self.extra_of(request, row), **more}
        return super().change_view(request, object_id, *args, extra_context=more, **kwargs)  # type: ignore[misc]

    def buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """Return the verbs that the user may ask for of this row now, as `label`, `danger` and `url`."""
        return [
            {"label": verb.label, "danger": verb.danger, "url": self.verb_url(row.pk, name)}
            for name, verb in self.verbs.items()
            if request.user.has_perm(verb.permission) and verb.legal(row)
        ]

    def extra_of(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return the context of what a row's page shows beside its fields."""
        return {}

    def verb_url(self, object_id: object, name: str) -> str:
        return reverse(f"admin:{self.url_name('verb')}", args=[object_id, name])

    def url_name(self, page: str) -> str:
        """Return Django's name for a page of this model, such as `campaigns_job_change`."""
        return f"{self.model._meta.app_label}_{self.model._meta.model_name}_{page}"

    def verb_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """GET asks, POST acts."""
        verb = self.verbs.get(name)
        if verb is None:
            raise Http404
        if not request.user.has_perm(verb.permission):
            raise PermissionDenied
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if row is None:
            raise Http404
        back = reverse(f"admin:{self.url_name('change')}", args=[row.pk])
        if request.method != "POST" or (order := _order(request, verb)) is None:
            return _ask(self, request, verb, [row], back=back, name="")
        report(request, verb, [row], order, counted=False)
        return redirect(self.page_after(name, row) or back)

    def page_after(self, name: str, row: Any) -> str:
        """Return where a row's verb leads instead of back to its page; '' for back."""
        return ""


def _run_action(admin: Any, request: HttpRequest, queryset: QuerySet[Any], *, verb_name: str) -> HttpResponse | None:
    """Ask first, then act on the rows one by one, as an action of Django's."""
    verb = admin.verbs[verb_name]
    if not request.user.has_perm(verb.permission):
        raise PermissionDenied
    rows = list(queryset[: MOST + 1])
    if len(rows) > MOST:
        messages.error(request, f"That is more than {MOST:,}: narrow the list first. Nothing was done.")
        return None
    if not request.POST.get("confirmed") or (order := _order(request, verb)) is None:
        return _ask(admin, request, verb, rows, back=request.get_full_path(), name=verb_name)
    report(request, verb, rows, order)
    return None


def _order(request: HttpRequest, verb: AdminVerb) -> Order | None:
    """Return what was confirmed; None, with a message why, if it must be asked for again."""
    try:
        return order_of(request, reason_required=verb.reason_required)
    except OrderRefused as refusal:
        if request.POST.get("confirmed"):
            messages.error(request, why(refusal))
        return None


def _ask(
    admin: Any, request: HttpRequest, verb: AdminVerb, rows: Sequence[Model], *, back: str, name: str
) -> HttpResponse:
    context = {
        **admin.admin_site.each_context(request),
        "title": verb.label,
        "opts": admin.model._meta,
        "verb": verb,
        "foretold": verb.foretold(rows[:NAMED]),
        "most_first": MOST_FIRST,
        "action_name": name,
        "rows": rows[:NAMED],
        "more": max(0, len(rows) - NAMED),
        "all_rows": rows if name else [],
        "checkbox": ACTION_CHECKBOX_NAME,
        "what": plural(len(rows), str(admin.model._meta.verbose_name), str(admin.model._meta.verbose_name_plural)),
        "back": back,
    }
    return TemplateResponse(request, "console/pages/confirm_verb.html", context)


def report(request: HttpRequest, verb: AdminVerb, rows: Iterable[Any], order: Order, *, counted: bool = True) -> None:
    """Do it to each row; say what was done, with numbers if `counted`, and what was skipped and why."""
    said: list[str] = []
    skipped: dict[str, int] = {}
    done = 0
    for row in rows:
        try:
            text = verb.run(row, order)
        except REFUSALS as refusal:
            text = why(refusal)
            skipped[text] = skipped.get(text, 0) + 1
            continue
        done += 1
        if len(said) < NAMED:
            said.append(text or f"{verb.label}: {row}.")
    shared_snapshot.forget()
    plan.forget()
    if done:
        number = [f"{verb.label}: {done:,} done."] if counted else []
        messages.success(request, format_html_join(" ", "{}", ((text,) for text in (*number, *said))))
    if skipped:
        whys = [f"{text} ({count:,})" if count > 1 else text for text, count in list(skipped.items())[:NAMED]]
        outcome = f"{sum(skipped.values()):,} skipped." if counted else "not done."
        messages.warning(request, f"{verb.label}: {outcome} {' '.join(whys)}")
