"""`manage.py mails` has mails read before they are pushed: it lists what waits, approves, rejects, and says which."""

from typing import Any

from django.core.management.base import CommandError

from campaigns import claims, moves, prompts, review
from campaigns.models import Campaign
from circuitbreakers.commands import WRONG_USAGE, VerbCommand, table

LISTED = 50
SHOWN = ("lead", "campaign", "to", "subject", "nobody has said")


class Command(VerbCommand):
    help = "List mails that wait to be read, approve or reject them, choose which of a campaign are read."
    refusals = (moves.MoveRefused,)

    def add_verbs(self) -> None:
        listing = self.verb("list", f"the mails that wait, the {LISTED} oldest first")
        listing.add_argument("--campaign", type=int, metavar="ID")
        approve = self.verb("approve", "have them pushed as they are", changes=True)
        which = approve.add_mutually_exclusive_group(required=True)
        which.add_argument("--lead", type=int, nargs="+", metavar="LEAD", help="those that somebody has read")
        which.add_argument("--campaign", type=int, metavar="ID", help="all of it, unread; needs a reason")
        reject = self.verb("reject", "drop their leads: they are never sent", changes=True)
        reject.add_argument("--lead", type=int, nargs="+", metavar="LEAD", required=True)
        choose = self.verb("choose", "which mails of a campaign are read from now on", changes=True)
        choose.add_argument("id", type=int)
        choose.add_argument("review", choices=Campaign.Review.values)

    def list(self, options: dict[str, Any]) -> None:
        campaign = options["campaign"]
        if campaign is not None:
            Campaign.objects.get(pk=campaign)
        rows: list[dict[str, Any]] = [
            {
                "lead": lead.pk,
                "campaign": lead.campaign_id,
                "to": str(lead),
                "subject": lead.mail_subject,
                "body": lead.mail_body,
                "claims": claims.without_source(lead, prompts.template_of(lead.campaign, "mail")),
            }
            for lead in review.waiting(campaign)[:LISTED]
        ]
        number = review.number(campaign)
        self.show(
            {"waiting": number, "mails": rows},
            f"{number} mails wait to be read.",
            *([table(SHOWN, [[*list(row.values())[:4], ", ".join(row["claims"])] for row in rows])] if rows else []),
        )

    def approve(self, options: dict[str, Any]) -> None:
        details = {"actor": self.actor(options), "reason": options["reason"]}
        if options["campaign"] is not None:
            self._answered("approved", review.approve_all(options["campaign"], **details))
        else:
            self._answered("approved", review.approve(options["lead"], **details))

    def reject(self, options: dict[str, Any]) -> None:
        done = review.reject(options["lead"], actor=self.actor(options), reason=options["reason"])
        self._answered("rejected", done)

    def choose(self, options: dict[str, Any]) -> None:
        campaign = review.choose(
            options["id"], review=options["review"], actor=self.actor(options), reason=options["reason"]
        )
        self.show(
            {"id": campaign.pk, "review": campaign.review},
            f"Campaign {campaign.pk}: mails to read before they are pushed: {campaign.get_review_display()}.",
        )

    def _answered(self, word: str, reviewed: review.Reviewed) -> None:
        if not reviewed.done and reviewed.skipped:
            raise CommandError(
                f"None {word}: these mails wait no more, or their leads are no leads.", returncode=WRONG_USAGE
            )
        skipped = f", {reviewed.skipped} skipped: they waited no more" if reviewed.skipped else ""
        self.show(vars(reviewed), f"{reviewed.done} mails {word}{skipped}.")
