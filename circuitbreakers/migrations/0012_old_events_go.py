from importlib import import_module

from django.db import migrations

erased = import_module("circuitbreakers.migrations.0004_events_of_the_erased")

# Of campaigns, their leads and their jobs, and no younger than `config/settings.py` lets anybody ask for. Whose they
# are, and whether that has ended, the prune asks.
PRUNING = """IF TG_OP = 'DELETE' AND current_setting('holdfast.pruning', true) = 'on'
        AND OLD.subject_type IN ('campaign', 'lead', 'job') AND OLD.verb <> 'retargeted'
        AND OLD.at < now() - interval '99 days' THEN
        RETURN OLD;
    END IF;
    """


class Migration(migrations.Migration):
    """A prune may delete old events of campaigns; nothing else ever deletes one."""

    dependencies = [("circuitbreakers", "0011_two_persons")]

    operations = [
        migrations.RunSQL(
            erased.APPEND_ONLY.format(except_for=erased.ERASING + PRUNING),
            erased.APPEND_ONLY.format(except_for=erased.ERASING),
        ),
    ]
