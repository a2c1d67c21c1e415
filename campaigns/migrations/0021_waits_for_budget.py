from django.db import migrations, models


class Migration(migrations.Migration):
    """A campaign whose budget is used up says so in its row."""

    dependencies = [
        ("campaigns", "0020_what_came_back_is_found"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="budget_halt",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="Why it waits for its budget; '': it does not.",
                max_length=200,
            ),
        ),
    ]
