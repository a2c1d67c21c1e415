"""Many values at once are put on the suppression list in the browser: pasted, or from a file."""

from typing import Any, BinaryIO, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path

from campaigns.leads.csvfile import ENCODINGS, ImportRefused
from campaigns.leads.suppression_file import ListReport, suppress_file, suppress_text
from campaigns.models import Suppression
from campaigns.permissions import ADD_SUPPRESSION
from circuitbreakers.storable import length_of
from console.orders import OrderRefused, order_of

# Rows of a file that a page waits for; the command takes any number.
MOST = 20_000
NAMED = 200  # refused values that the page shows
GIVEN = ("values", "cause", "reason")
CAUSES = [(str(cause), cause.label) for cause in Suppression.GIVEN]


class NothingGiven(Exception):
    """The form holds neither values nor a file, or a cause that does not exist."""


def urls() -> list[URLPattern]:
    """Return the page's path, below that of the list."""
    return [path("import/", admin.site.admin_view(page), name="campaigns_suppression_import")]


def page(request: HttpRequest) -> HttpResponse:
    """Show the form; POST puts the values on the list and shows the report."""
    if not request.user.has_perm(ADD_SUPPRESSION):
        raise PermissionDenied
    report: ListReport | None = None
    if request.method == "POST":
        try:
            report = take(request)
        except (ImportRefused, OrderRefused, NothingGiven) as refusal:
            messages.error(request, str(refusal))
    context = {
        **admin.site.each_context(request),
        "title": "Put many on the suppression list",
        "causes": CAUSES,
        "encodings": ENCODINGS,
        "most": MOST,
        "longest": length_of(Suppression, "reason"),
        "report": report,
        "refusals": report.refusals[:NAMED] if report else [],
        "more": max(0, report.refused - NAMED) if report else 0,
        # What was refused as a whole can be mended and sent again.
        **{f"given_{name}": request.POST.get(name, "") if report is None else "" for name in GIVEN},
    }
    return render(request, "console/pages/suppress.html", context)


def take(request: HttpRequest) -> ListReport:
    """Put what the form holds on the list. Raises ImportRefused, OrderRefused or NothingGiven, with what to do."""
    order = order_of(request, reason_required=False)
    cause = request.POST.get("cause", "operator")
    if cause not in dict(CAUSES):
        raise NothingGiven("Choose a cause from the list.")
    how: dict[str, Any] = {"cause": Suppression.Cause(cause)}
    upload, text = request.FILES.get("file"), request.POST.get("values", "")
    if upload is not None and upload.file is not None:
        stream = cast(BinaryIO, upload.file)
        encoding = request.POST.get("encoding") or None
        return suppress_file(stream, order.reason, order.actor, encoding=encoding, most=MOST, **how)
    if not text.strip():
        raise NothingGiven("Paste addresses or domains, or choose a file.")
    return suppress_text(text, order.reason, order.actor, **how)
