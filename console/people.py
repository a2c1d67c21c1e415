"""This page finds all that is known of one person, hands it out as a file, and erases it.

The address is posted and never part of a URL: those are logged.
"""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from campaigns.models import Erasure
from campaigns.permissions import ERASE_PERSON, VIEW_LEAD
from campaigns.person import erasing, known
from circuitbreakers.commands import as_json
from circuitbreakers.storable import length_of
from console.orders import actor_of


@sensitive_post_parameters("address", "confirmation")
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Show the form; posted with an `address` and `do` (find, export or erase) do that."""
    if not request.user.has_perm(VIEW_LEAD):
        raise PermissionDenied
    address, do = request.POST.get("address", "").strip(), request.POST.get("do", "find")
    context = {
        **admin.site.each_context(request),
        "title": "A person",
        "address": address,
        "may_erase": request.user.has_perm(ERASE_PERSON),
        "receipts": Erasure.objects.all()[:20],
        "longest_reason": length_of(Erasure, "reason"),
    }
    if request.method == "POST":
        try:
            person = known.find(address)
        except known.NoAddress as error:
            messages.error(request, str(error))
            return TemplateResponse(request, "console/pages/person.html", context)
        if do == "export":
            return _file(known.export(person))
        if do == "erase":
            context["receipt"] = _erase(request, person)
        context |= {"person": person, "counts": known.counts(person)}
    return TemplateResponse(request, "console/pages/person.html", context)


def _erase(request: HttpRequest, person: known.Person) -> Erasure | None:
    """Erase the person whose address was typed twice; None, with a message, if that may not or cannot be."""
    if not request.user.has_perm(ERASE_PERSON):
        raise PermissionDenied
    if request.POST.get("confirmation", "").strip().lower() not in person.addresses:
        messages.error(request, "Nothing was erased: type the address once more, to be sure that it is theirs.")
        return None
    try:
        receipt = erasing.erase(person, actor=actor_of(request), reason=request.POST.get("reason", ""), wait=0)
    except erasing.StillWorkedOn as error:
        messages.error(request, str(error))
        return None
    messages.success(request, f"Erased. Receipt {receipt.pk}.")
    return receipt


def _file(data: object) -> HttpResponse:
    answer = HttpResponse(as_json(data), content_type="application/json")
    answer["Content-Disposition"] = 'attachment; filename="person.json"'
    return answer
