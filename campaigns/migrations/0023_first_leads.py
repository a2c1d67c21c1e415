from django.db import migrations, models


class Migration(migrations.Migration):
    """A campaign may hold after its first leads."""

    dependencies = [
        ("campaigns", "0022_outlooks"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="first_leads",
            field=models.PositiveIntegerField(
                blank=True, editable=False, help_text="Only so many of its leads for now; none: all of them.", null=True
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="first_left",
            field=models.PositiveIntegerField(
                blank=True, editable=False, help_text="How many of the first leads are not taken in yet.", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("first_leads", None), ("first_left", None)),
                    models.Q(
                        ("first_leads__isnull", False),
                        ("first_left__isnull", False),
                        ("first_leads__range", (1, 100)),
                        ("first_left__lte", models.F("first_leads")),
                    ),
                    _connector="OR",
                ),
                name="campaign_first_leads",
            ),
        ),
    ]
