"""`manage.py notify` lists channels and deliveries, sends a test and sends again. Channels are made in the console."""

from typing import Any

from circuitbreakers.commands import VerbCommand, table
from notifications import channels
from notifications.models import Channel, Delivery

SHOWN = 50


class Command(VerbCommand):
    help = "Look at the channels on which people are told, test them, and send messages again."
    refusals = (channels.ChannelRefused,)

    def add_verbs(self) -> None:
        self.verb("list", "the channels, and which of them do not get through")
        test = self.verb("test", "send a test message to one channel", changes=True)
        test.add_argument("channel", help="its name")
        deliveries = self.verb("deliveries", f"the latest {SHOWN} deliveries")
        deliveries.add_argument("--state", choices=Delivery.State.values)
        replay = self.verb("replay", "send messages again, under their old ids", changes=True)
        replay.add_argument("delivery", type=int, nargs="+", help="their numbers")

    def list(self, options: dict[str, Any]) -> None:
        rows = [channels.as_dict(row) for row in Channel.objects.all()]
        columns = ("name", "kind", "hint", "severity", "enabled", "created_by")
        troubles = channels.troubles()
        shown = table([name.replace("_", " ") for name in columns], [[row[name] for name in columns] for row in rows])
        self.show({"channels": rows, "troubles": troubles}, shown, *troubles)

    def test(self, options: dict[str, Any]) -> None:
        channel = Channel.objects.get(name=options["channel"])
        message = channels.test(channel, actor=self.actor(options))
        said = f"A test message to {channel.name} is on its way."
        self.show({"id": message.pk, "action": "test", "message": said}, said)

    def deliveries(self, options: dict[str, Any]) -> None:
        rows = Delivery.objects.select_related("message", "channel")
        if options["state"]:
            rows = rows.filter(state=options["state"])
        data = [
            {
                "id": row.pk,
                "channel": row.channel.name,
                "subject": row.message.subject,
                "state": row.state,
                "attempts": row.attempts,
                "queued_at": row.queued_at,
                "sent_at": row.sent_at,
                "last_error": row.last_error,
            }
            for row in rows[:SHOWN]
        ]
        columns = ("id", "channel", "subject", "state", "attempts", "last_error")
        shown = table([name.replace("_", " ") for name in columns], [[row[name] for name in columns] for row in data])
        self.show({"deliveries": data}, shown)

    def replay(self, options: dict[str, Any]) -> None:
        """Every one is tried; at the end it says how many were sent again and how many were skipped, and why."""
        done, skipped = [], {}
        for pk in options["delivery"]:
            try:
                delivery = Delivery.objects.select_related("channel").get(pk=pk)
                channels.replay(delivery, actor=self.actor(options), reason=options["reason"])
                done.append(pk)
            except (Delivery.DoesNotExist, channels.ChannelRefused) as error:
                skipped[pk] = str(error)
        self.show(
            {"replayed": done, "skipped": skipped},
            f"{len(done)} sent again, {len(skipped)} skipped.",
            *(f"{pk}: {why}" for pk, why in skipped.items()),
        )
        if skipped and not done:
            raise channels.ChannelRefused("Nothing was sent again.")
