from importlib import import_module

from django.db import migrations, models

tallies = import_module("campaigns.migrations.0003_tallies")

ROWS, TALLIES, KEYS, NUMBERS = tallies.KEPT[2]
MORE = {"may_be_charged": "may_be_charged::int", "may_cost_usd": "may_cost_usd"}


class Migration(migrations.Migration):
    """What may have been charged beyond the books, in the ledger and its tallies; who asks for a verdict just now."""

    dependencies = [("campaigns", "0006_call_outcomes")]

    operations = [
        migrations.AddField(
            "vendorcall",
            "may_be_charged",
            models.BooleanField(
                default=False,
                db_default=False,
                help_text="It was sent and its answer lost: it may have been charged beyond what is booked.",
            ),
        ),
        migrations.AddField(
            "vendorcall",
            "may_cost_usd",
            models.DecimalField(
                max_digits=12,
                decimal_places=6,
                default=0,
                db_default=0,
                help_text="How much more it can have cost at most.",
            ),
        ),
        migrations.RunSQL(
            tallies.FORGET.format(rows=ROWS, tallies=TALLIES), tallies.trigger(ROWS, TALLIES, KEYS, NUMBERS).sql
        ),
        migrations.AddField("calltally", "may_be_charged", models.BigIntegerField(default=0), preserve_default=False),
        migrations.AddField(
            "calltally",
            "may_cost_usd",
            models.DecimalField(max_digits=20, decimal_places=6, default=0),
            preserve_default=False,
        ),
        tallies.trigger(ROWS, TALLIES, KEYS, {**NUMBERS, **MORE}),
        migrations.AddField("verdict", "asked_by", models.BigIntegerField(null=True)),
        migrations.AddField("verdict", "asked_until", models.DateTimeField(null=True)),
        migrations.RemoveIndex("vendorcall", "call_campaign"),
        migrations.AddIndex("vendorcall", models.Index(fields=["campaign", "service", "-id"], name="call_campaign")),
        migrations.AlterField("verdict", "result", models.CharField(max_length=20, blank=True)),
    ]
