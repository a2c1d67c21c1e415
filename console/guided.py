"""A campaign is made step by step: name, people, their file, prompts, two or three mails to read, the start.

Each step is a page whose state is in rows, so that it survives a reload and another browser; none needs JavaScript.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse

from campaigns import estimate, first_leads, lifecycle, rewrite
from campaigns.leads import waiting_file
from campaigns.leads.csvfile import ENCODINGS, ImportRefused
from campaigns.models import Campaign, LeadFile
from campaigns.moves import warnings_of
from campaigns.permissions import ADD_CAMPAIGN, OPERATE_CAMPAIGN
from console import guided_pages, plan, shared_snapshot
from console.admin.campaign_verbs import started
from console.campaign_form import NameForm, PromptsForm, SearchForm, save_edited
from console.labels import plural
from console.orders import REFUSALS, actor_of, why

SAMPLE = 3
Status = Campaign.Status


@dataclass(frozen=True)
class Answer:
    """An answer is what a step's form came to: the next step, or '' to stay with `said` beside the form."""

    step: str = ""
    said: str = ""
    form: Any = None


def urls() -> list[URLPattern]:
    """Return the paths of the guided way, below that of the campaigns."""
    view = admin.site.admin_view
    return [
        path("guided/", view(new), name="campaigns_campaign_guided_new"),
        path("<int:pk>/guided/left-out/", view(left_out), name="campaigns_campaign_left_out"),
        path("<int:pk>/guided/<str:step>/", view(page), name="campaigns_campaign_guided"),
    ]


def allow(request: HttpRequest) -> None:
    """Raise PermissionDenied for users who may not make and operate campaigns."""
    if not request.user.has_perms([ADD_CAMPAIGN, OPERATE_CAMPAIGN]):
        raise PermissionDenied


def link(campaign: Campaign, step: str) -> str:
    return reverse("admin:campaigns_campaign_guided", args=[campaign.pk, step])


def new(request: HttpRequest) -> HttpResponse:
    """Ask for the name; POST makes the campaign, which does nothing before it is started."""
    allow(request)
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect(link(lifecycle.create(actor=actor_of(request), name=form.cleaned_data["name"]), "people"))
    context = {"title": "A new campaign", "steps": guided_pages.steps(None, "name"), "form": form}
    return render(request, "console/guided/name.html", {**admin.site.each_context(request), **context})


def page(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """Show one step; POST does it and leads to the next, or stays and says why not."""
    allow(request)
    campaign = get_object_or_404(Campaign, pk=pk)
    if step not in STEPS:
        raise Http404
    if (fits := guided_pages.fitting(campaign, step)) != step:
        return redirect(link(campaign, fits) if fits else reverse("admin:campaigns_campaign_change", args=[pk]))
    answer = Answer()
    if request.method == "POST":
        try:
            answer = STEPS[step](request, campaign)
        except (*REFUSALS, ImportRefused) as refusal:
            answer = Answer(said=why(refusal))
        else:
            shared_snapshot.forget()
            plan.forget()
            if answer.step:
                return redirect(
                    reverse("admin:campaigns_campaign_change", args=[pk])
                    if answer.step == "campaign"
                    else f"{link(campaign, answer.step.partition('?')[0])}{''.join(answer.step.partition('?')[1:])}"
                )
        campaign.refresh_from_db()  # a form that was refused has left its values in it
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "step": step,
        "steps": guided_pages.steps(campaign, step),
        "said": answer.said,
        "form": answer.form,
        "encodings": ENCODINGS,
        "sample": SAMPLE,
        **guided_pages.CONTEXTS[step](request, campaign),
    }
    return render(request, f"console/guided/{step}.html", context)


def people(request: HttpRequest, campaign: Campaign) -> Answer:
    """Keep a file for a look at it, or take a search from Apollo."""
    upload = request.FILES.get("file")
    if upload is not None and upload.file is not None:
        encoding, delimiter = request.POST.get("encoding") or None, request.POST.get("delimiter") or None
        stream = cast(BinaryIO, upload.file)
        waiting_file.keep(campaign, stream, name=upload.name or "file", encoding=encoding, delimiter=delimiter)
        return Answer("file")
    if not request.POST.get("search_url", "").strip():
        return Answer(said="Choose a file, or paste a search from Apollo.")
    form = SearchForm(request.POST, instance=campaign)
    if not form.is_valid():
        return Answer(said=" ".join(str(text) for texts in form.errors.values() for text in texts), form=form)
    save_edited(campaign, form, actor_of(request))
    for text in form.ignored:
        messages.warning(request, text)
    messages.success(request, f"Up to {plural(campaign.max_leads, 'person', 'people')} of that search are found later.")
    return Answer("prompts")


def file(request: HttpRequest, campaign: Campaign) -> Answer:
    """Read its columns in another way, throw it away, or take its people in."""
    waiting = LeadFile.objects.filter(campaign=campaign).first()
    if waiting is None:
        return Answer("people")
    if "another" in request.POST:
        waiting.delete()
        return Answer("people")
    chosen = {
        header: request.POST[f"column-{place}"]
        for place, header in enumerate(waiting_file.preview_of(waiting).header)
        if f"column-{place}" in request.POST
    }
    if {**waiting.mapping, **chosen} != waiting.mapping:
        waiting_file.read_as(waiting, chosen)
        if "take" in request.POST:
            return Answer(said="The columns are read in another way now: look once more who would be taken.")
    if "take" not in request.POST:
        return Answer("file")
    report = waiting_file.take_in(waiting, actor=actor_of(request))
    out = f", {plural(report.rows - report.taken, 'row')} were left out" if report.rows > report.taken else ""
    messages.success(request, f"{plural(report.taken, 'lead')} of “{waiting.name}” are in the campaign{out}.")
    return Answer("prompts")


def prompts(request: HttpRequest, campaign: Campaign) -> Answer:
    """Save both prompts; an unchanged standard one is stored as none, so that it stays the standard."""
    data = request.POST.copy()
    for name, standard in guided_pages.STANDARD.items():
        if data.get(name, "").replace("\r\n", "\n").strip() == standard.strip():
            data[name] = ""
    data.setdefault("review", campaign.review)
    form = PromptsForm(data, instance=campaign)
    if not form.is_valid():
        return Answer(said=" ".join(str(text) for texts in form.errors.values() for text in texts), form=form)
    save_edited(campaign, form, actor_of(request))
    if "next" in request.POST:
        return Answer("sample")
    lead = request.POST.get("lead", "").strip()
    return Answer(guided_pages.with_lead("prompts", lead))


def sample(request: HttpRequest, campaign: Campaign) -> Answer:
    """Have a few mails written, more of them, or the same again; nothing is pushed."""
    actor = actor_of(request)
    if "again" in request.POST:
        count = rewrite.rewrite(campaign.pk, actor=actor)
        if not count:
            return Answer(said="No mail is written yet that could be written again.")
        messages.success(request, f"{plural(count, 'mail')} of “{campaign.name}” are written again.")
    elif "more" in request.POST:
        first_leads.extend(campaign.pk, SAMPLE, actor=actor)
        messages.success(request, f"{SAMPLE} more leads of “{campaign.name}” are on their way.")
    elif "next" in request.POST:
        return Answer("start")
    else:
        first = min(SAMPLE, estimate.to_do(campaign))
        lifecycle.start(campaign.pk, actor=actor, first=first)
        messages.success(request, started(campaign, first, first))
    return Answer("sample")


def start(request: HttpRequest, campaign: Campaign) -> Answer:
    """Start with all leads, or go on with all after the first ones."""
    actor = actor_of(request)
    if campaign.status == Status.CREATED:
        lifecycle.start(campaign.pk, actor=actor)
    else:
        first_leads.go_on(campaign.pk, actor=actor)
    messages.success(request, started(campaign, estimate.to_do(campaign), None))
    for warning in warnings_of(campaign):
        messages.warning(request, f"Warning: {warning}")
    return Answer("campaign")


STEPS: dict[str, Callable[[HttpRequest, Campaign], Answer]] = {
    "people": people,
    "file": file,
    "prompts": prompts,
    "sample": sample,
    "start": start,
}


def left_out(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send the rows of the waiting file that would be left out, each with its reason."""
    allow(request)
    waiting = get_object_or_404(LeadFile.objects.select_related("campaign"), campaign_id=pk)
    answer = StreamingHttpResponse(waiting_file.left_out(waiting), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="left-out.csv"'
    return answer
