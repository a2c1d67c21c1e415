from django.db import migrations

APPEND_ONLY = """
CREATE OR REPLACE FUNCTION events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {except_for}RAISE EXCEPTION 'events is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
"""
# The words may change, never what happened, when, to what and by whom.
ERASING = """IF TG_OP = 'UPDATE' AND current_setting('holdfast.erasing', true) = 'on'
        AND (NEW.id, NEW.at, NEW.subject_type, NEW.subject_id, NEW.verb, NEW.actor, NEW.door, NEW.incident_id)
        IS NOT DISTINCT FROM
            (OLD.id, OLD.at, OLD.subject_type, OLD.subject_id, OLD.verb, OLD.actor, OLD.door, OLD.incident_id) THEN
        RETURN NEW;
    END IF;
    """


class Migration(migrations.Migration):
    """The erasure of a person may take their words out of an event; nothing else ever changes one."""

    dependencies = [("circuitbreakers", "0003_event_doors_and_pause_keys")]

    operations = [
        migrations.RunSQL(APPEND_ONLY.format(except_for=ERASING), APPEND_ONLY.format(except_for="")),
    ]
