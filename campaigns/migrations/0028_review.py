"""A campaign may have its mails read by a person before they are pushed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0027_lead_files"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="review",
            field=models.CharField(
                choices=[
                    ("off", "none"),
                    ("all", "all of them"),
                    ("sample", "the first 20, then 5 %"),
                    ("findings", "those that claim what nobody has said"),
                ],
                db_default="off",
                default="off",
                help_text="Which mails somebody must read and approve before they are pushed.",
                max_length=10,
                verbose_name="mails to read",
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="mail_as_written",
            field=models.JSONField(
                blank=True, editable=False, help_text="Subject and body before somebody edited them.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="lead",
            name="stage",
            field=models.CharField(
                blank=True,
                choices=[
                    ("find", "find"),
                    ("reveal", "reveal"),
                    ("prepare", "prepare"),
                    ("verify", "verify"),
                    ("research", "research"),
                    ("write", "write"),
                    ("push", "push"),
                    ("review", "review"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("review__in", ["off", "all", "sample", "findings"])), name="campaign_review_known"
            ),
        ),
    ]
