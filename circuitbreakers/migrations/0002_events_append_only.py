"""The database itself refuses to change or delete an event."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("circuitbreakers", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql="""
            CREATE FUNCTION events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'events is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
            END $$;
            CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
                FOR EACH ROW EXECUTE FUNCTION events_are_append_only();
            """,
            reverse_sql="""
            DROP TRIGGER events_append_only ON events;
            DROP FUNCTION events_are_append_only();
            """,
        )
    ]
