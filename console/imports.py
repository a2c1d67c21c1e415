"""Leads are imported in the browser: after a preview of the columns, with the progress as lines of JSON."""

import io
import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import IO, Any, BinaryIO, TextIO, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from campaigns.leads.csvfile import DELIMITERS, ENCODINGS, HEAD, NAMED_DELIMITERS, ImportRefused, start_of_text
from campaigns.leads.foretell import foretell_csv
from campaigns.leads.importing import CampaignEnded, ImportReport, import_csv
from campaigns.leads.preview import Preview, sniff
from campaigns.leads.source import Reading
from campaigns.models import Campaign
from campaigns.permissions import OPERATE_CAMPAIGN
from circuitbreakers.events import Actor
from console.orders import actor_of

logger = logging.getLogger(__name__)
PIECE = 64 * 1024


def urls() -> list[URLPattern]:
    """Return the paths of an import, below that of the campaigns."""
    view = admin.site.admin_view
    return [
        path("<int:pk>/import/", view(page), name="campaigns_campaign_import"),
        path("<int:pk>/import/preview/", view(require_POST(preview)), name="campaigns_campaign_preview"),
        path("<int:pk>/import/run/", view(require_POST(run)), name="campaigns_campaign_import_run"),
    ]


def allowed(request: HttpRequest, pk: int) -> Campaign:
    """Return the campaign; raises PermissionDenied for users who may not operate campaigns."""
    if not request.user.has_perm(OPERATE_CAMPAIGN):
        raise PermissionDenied
    return get_object_or_404(Campaign, pk=pk)


def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form; `import.js` asks for the preview and shows the progress."""
    campaign = allowed(request, pk)
    context = {
        **admin.site.each_context(request),
        "title": f"Import leads into {campaign.name}",
        "campaign": campaign,
        "encodings": ENCODINGS,
        "delimiters": [
            name for name, character in NAMED_DELIMITERS.items() if character in DELIMITERS and name.isalpha()
        ],
    }
    return render(request, "console/pages/import.html", context)


def reading(request: HttpRequest) -> Reading:
    """Return what the form says about the file."""
    return Reading(encoding=request.POST.get("encoding") or None, delimiter=request.POST.get("delimiter") or None)


def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """Show, as a fragment of the form, how the columns of a file would be read, by its first 256 KB."""
    campaign = allowed(request, pk)
    upload = request.FILES.get("file")
    if upload is None:
        return HttpResponse(status=400)
    head = upload.read(HEAD)
    try:
        preview_of_file = sniff(io.BytesIO(head), **reading(request))
        foretold_of_file = foretold(campaign, head, preview_of_file)
    except ImportRefused as error:
        return render(request, "console/parts/import_refused.html", {"why": str(error)})
    columns = [
        (name, preview_of_file.mapping[name], [row[place] if place < len(row) else "" for row in preview_of_file.rows])
        for place, name in enumerate(preview_of_file.header)
    ]
    context = {
        "preview": preview_of_file,
        "columns": columns,
        "foretold": foretold_of_file,
        "whole": len(head) < HEAD,
    }
    return render(request, "console/parts/import_preview.html", context)


def foretold(campaign: Campaign, head: bytes, preview_of_file: Preview) -> ImportReport | None:
    """Say what would become of the rows at the top of a file; None if that cannot be said yet, for want of a column of
    addresses, say. Raises CampaignEnded: no file would do."""
    text = start_of_text(head, preview_of_file.encoding)
    if len(head) == HEAD:
        text = text[: text.rfind("\n") + 1]
    how: Reading = {"encoding": "utf-8", "delimiter": preview_of_file.delimiter}
    try:
        return foretell_csv(campaign, io.BytesIO(text.encode(errors="replace")), **how)
    except CampaignEnded:
        raise
    except ImportRefused:
        return None  # the import says why


def run(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Import, or with `dry_run` only foretell it; each line of the answer is one step: bytes and rows read, skipped
    rows as CSV, at last the report."""
    campaign = allowed(request, pk)
    upload = request.FILES.get("file")
    if upload is None or upload.file is None:
        return HttpResponse(status=400)
    try:
        mapping = json.loads(request.POST.get("mapping") or "null")
    except (ValueError, RecursionError):
        return HttpResponse(status=400)
    if mapping is not None and not (isinstance(mapping, dict) and all(isinstance(v, str) for v in mapping.values())):
        return HttpResponse(status=400)
    actor = actor_of(request)
    dry_run = bool(request.POST.get("dry_run"))
    steps = Import(campaign, upload.file, actor, mapping=mapping, dry_run=dry_run, **reading(request))
    answer = StreamingHttpResponse((json.dumps(step) + "\n" for step in steps), content_type="application/x-ndjson")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    return answer


class Import:
    """An Import runs in a thread of its own, so that its progress can be sent while it goes on."""

    def __init__(
        self,
        campaign: Campaign,
        stream: IO[bytes],
        actor: Actor,
        *,
        mapping: Mapping[str, str] | None,
        dry_run: bool,
        encoding: str | None,
        delimiter: str | None,
    ) -> None:
        self.campaign, self.stream, self.actor = campaign, stream, actor
        self.mapping, self.encoding, self.delimiter = mapping, encoding, delimiter
        self.dry_run = dry_run
        # Bounded: a slow reader slows the import down instead of filling the memory with skipped rows.
        self.steps: queue.Queue[dict[str, Any] | None] = queue.Queue(maxsize=50)
        self.left = threading.Event()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        threading.Thread(target=self.work, name="import", daemon=True).start()
        try:
            while (step := self.steps.get()) is not None:
                yield step
        finally:
            self.left.set()

    def say(self, step: dict[str, Any] | None) -> None:
        """Hand a step to the reader; nothing once the reader has gone."""
        while not self.left.is_set():
            try:
                self.steps.put(step, timeout=0.5)
                return
            except queue.Full:
                continue

    def work(self) -> None:
        skipped = Pieces(lambda text: self.say({"skipped": text}))
        try:
            act = foretell_csv if self.dry_run else partial(import_csv, actor=self.actor)
            report = act(
                self.campaign,
                cast(BinaryIO, self.stream),
                mapping=self.mapping,
                encoding=self.encoding,
                delimiter=self.delimiter,
                progress=lambda read, rows: self.say({"bytes": read, "rows": rows}),
                skipped_to=cast(TextIO, skipped),
            )
            skipped.send()
            self.say({"report": report.as_dict(), "dry_run": self.dry_run})
        except ImportRefused as error:
            self.say({"refused": str(error)})
        except Exception:
            logger.exception("Import into campaign %s broke off", self.campaign.pk)
            self.say(
                {"refused": "The import broke off; it has been logged. Import the file again: nothing is doubled."}
            )
        finally:
            connection.close()
            self.say(None)


class Pieces(io.TextIOBase):
    """This file hands on the text written to it in pieces of 64 KB."""

    def __init__(self, hand_on: Callable[[str], None]) -> None:
        self.hand_on, self.kept, self.length = hand_on, list[str](), 0

    def write(self, text: str) -> int:
        self.kept.append(text)
        self.length += len(text)
        if self.length >= PIECE:
            self.send()
        return len(text)

    def send(self) -> None:
        if self.kept:
            self.hand_on("".join(self.kept))
            self.kept, self.length = [], 0
