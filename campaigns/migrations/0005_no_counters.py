from django.db import migrations


class Migration(migrations.Migration):
    """The tallies took their place."""

    dependencies = [("campaigns", "0004_count_what_is_there")]

    operations = [
        migrations.RemoveField(model_name="campaign", name="progress"),
        migrations.RemoveField(model_name="campaign", name="progress_at"),
    ]
