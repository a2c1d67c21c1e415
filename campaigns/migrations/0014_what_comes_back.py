import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Places for what comes back after a push, for who writes to whom, and for why nobody writes to somebody."""

    dependencies = [
        ("campaigns", "0013_calls_that_may_be_charged"),
    ]

    operations = [
        migrations.CreateModel(
            name="Contact",
            fields=[
                ("key", models.CharField(max_length=320, primary_key=True, serialize=False)),
                (
                    "domain",
                    models.CharField(
                        blank=True, help_text="The registrable one; none for an Apollo id.", max_length=255
                    ),
                ),
                ("held_since", models.DateTimeField(blank=True, null=True)),
                ("pushing", models.CharField(blank=True, max_length=40)),
                ("pushed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True, help_text="The last: sent, bounced, replied, unsubscribed.", max_length=20
                    ),
                ),
                ("outcome_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "contacts",
                "ordering": ["key"],
            },
        ),
        migrations.CreateModel(
            name="OutcomeEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(help_text="Of what makes it this very event.", max_length=64, unique=True)),
                (
                    "source",
                    models.CharField(
                        choices=[("webhook", "Webhook"), ("reconciliation", "Reconciliation")], max_length=20
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        help_text="Instantly's name for it; a name that we do not know is kept.", max_length=60
                    ),
                ),
                (
                    "email",
                    models.CharField(blank=True, help_text="Normalised; none if it names nobody.", max_length=320),
                ),
                ("target", models.CharField(blank=True, help_text="The campaign at Instantly.", max_length=64)),
                ("occurred_at", models.DateTimeField(help_text="By the vendor; when it came if that cannot be read.")),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("payload", models.JSONField(default=dict)),
                ("applied_at", models.DateTimeField(blank=True, null=True)),
                ("effect", models.CharField(blank=True, help_text="What followed from it.", max_length=40)),
            ],
            options={
                "db_table": "outcome_events",
                "ordering": ["-id"],
            },
        ),
        migrations.AddField(
            model_name="campaign",
            name="contact_policy",
            field=models.JSONField(
                blank=True,
                editable=False,
                help_text="Where it departs from the installation's.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="contact_policy_reason",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=500),
        ),
        migrations.AddField(
            model_name="campaign",
            name="target_checked_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="target_halt",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="Why its campaign at Instantly does not send; '': it does.",
                max_length=300,
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="bounced_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="lead",
            name="replied_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="lead",
            name="sent_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="lead",
            name="unsubscribed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="suppression",
            name="blocked_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="Since when Instantly's own block list has it too.", null=True
            ),
        ),
        migrations.AddField(
            model_name="suppression",
            name="cause",
            field=models.CharField(
                choices=[
                    ("operator", "Put here by a person"),
                    ("unsubscribed", "Unsubscribed"),
                    ("not_interested", "Not interested"),
                    ("wrong_person", "Wrong person"),
                    ("bounced", "Bounced"),
                    ("erased", "Erased on request"),
                ],
                db_default="operator",
                default="operator",
                editable=False,
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="suppression",
            name="source",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="The door that it came through.",
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(
                condition=models.Q(("sent_at__isnull", False)), fields=["campaign", "sent_at"], name="lead_sent"
            ),
        ),
        migrations.AddIndex(
            model_name="suppression",
            index=models.Index(condition=models.Q(("blocked_at", None)), fields=["id"], name="suppression_unblocked"),
        ),
        migrations.AddConstraint(
            model_name="suppression",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cause__in", ["operator", "unsubscribed", "not_interested", "wrong_person", "bounced", "erased"])
                ),
                name="suppression_cause_known",
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="campaign",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="contacts",
                to="campaigns.campaign",
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="lead",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="contacts",
                to="campaigns.lead",
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="pushed_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="campaigns.campaign",
            ),
        ),
        migrations.AddIndex(
            model_name="outcomeevent",
            index=models.Index(condition=models.Q(("applied_at", None)), fields=["id"], name="outcome_to_apply"),
        ),
        migrations.AddIndex(
            model_name="outcomeevent",
            index=models.Index(fields=["email"], name="outcome_email"),
        ),
        migrations.AddIndex(
            model_name="outcomeevent",
            index=models.Index(fields=["kind", "-id"], name="outcome_kind"),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("pushed_at__isnull", False)), fields=["domain", "pushed_at"], name="contact_domain"
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(condition=models.Q(("lead__isnull", False)), fields=["lead"], name="contact_lead"),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("campaign__isnull", False)), fields=["campaign"], name="contact_campaign"
            ),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.CheckConstraint(condition=models.Q(("key", ""), _negated=True), name="contact_has_key"),
        ),
    ]
