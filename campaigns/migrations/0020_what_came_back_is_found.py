from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Lists and the funnel find by an index what came of a push, and which events had which effect."""

    dependencies = [("campaigns", "0019_contacts_from_leads")]

    operations = [
        *(
            migrations.AddIndex(
                "lead",
                models.Index(
                    fields=["campaign", "-id"], condition=Q(**{f"{name}_at__isnull": False}), name=f"lead_{name}"
                ),
            )
            for name in ("bounced", "replied", "unsubscribed")
        ),
        migrations.AddIndex("outcomeevent", models.Index(fields=["effect", "-id"], name="outcome_effect")),
        migrations.AddIndex("outcomeevent", models.Index(fields=["source", "-id"], name="outcome_source")),
        migrations.AddIndex(
            "outcomeevent",
            models.Index(fields=["-id"], condition=Q(effect__startswith="failed"), name="outcome_failed"),
        ),
        migrations.AddIndex(
            "outcomeevent",
            models.Index(fields=["received_at"], condition=Q(source="reconciliation"), name="outcome_missed"),
        ),
        migrations.AddIndex(
            "outcomeevent", models.Index(fields=["received_at"], condition=Q(effect="unknown"), name="outcome_unknown")
        ),
    ]
