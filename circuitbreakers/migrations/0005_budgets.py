from decimal import Decimal

import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Scopes may have budgets, which limit what they spend."""

    dependencies = [
        ("circuitbreakers", "0004_events_of_the_erased"),
    ]

    operations = [
        migrations.CreateModel(
            name="Budget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("scope", models.CharField(max_length=40)),
                (
                    "period",
                    models.CharField(choices=[("day", "day"), ("month", "month"), ("total", "total")], max_length=5),
                ),
                ("limit_usd", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                ("limit_calls", models.PositiveIntegerField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=1, editable=False, help_text="Grows with each edit.")),
                ("reason", models.CharField(max_length=500)),
                ("set_by", models.CharField(editable=False, max_length=150)),
                ("set_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("halt", models.CharField(blank=True, default="", editable=False, max_length=200)),
                (
                    "halt_needs",
                    models.BigIntegerField(
                        default=0,
                        editable=False,
                        help_text="What the refused call may have cost at most, in micro-USD.",
                    ),
                ),
                ("halt_start", models.CharField(blank=True, default="", editable=False, max_length=10)),
                (
                    "told_start",
                    models.CharField(
                        blank=True,
                        default="",
                        editable=False,
                        help_text="The period that the last message was about.",
                        max_length=10,
                    ),
                ),
                ("told_percent", models.PositiveSmallIntegerField(default=0, editable=False)),
            ],
            options={
                "db_table": "budgets",
                "ordering": ["scope", "period"],
                "default_permissions": ("view", "change"),
                "constraints": [
                    models.UniqueConstraint(fields=("scope", "period"), name="budget_once_per_scope_and_period"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("limit_usd__isnull", False), ("limit_calls__isnull", False), _connector="OR"
                        ),
                        name="budget_has_a_limit",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("limit_usd", None),
                            models.Q(("limit_usd__gt", 0), ("limit_usd__lte", Decimal("1000000"))),
                            _connector="OR",
                        ),
                        name="budget_usd_sane",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("limit_calls", None), ("limit_calls__range", (1, 100000000)), _connector="OR"
                        ),
                        name="budget_calls_sane",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("period__in", ("day", "month")), ("scope", "system")),
                            models.Q(
                                ("period", "day"),
                                (
                                    "scope__in",
                                    [
                                        "service:apollo",
                                        "service:millionverifier",
                                        "service:perplexity",
                                        "service:openai",
                                        "service:instantly",
                                    ],
                                ),
                            ),
                            models.Q(("period__in", ("total", "day")), ("scope__regex", "^campaign:[1-9][0-9]*$")),
                            _connector="OR",
                        ),
                        name="budget_scope_has_period",
                    ),
                ],
            },
        ),
    ]
