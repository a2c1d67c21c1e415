from django.db import migrations, models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Collate, Reverse

# The values of the list that would keep somebody from being written to: the address, its domain and every parent, but
# for the top-level domain. As addresses.domain_and_parents has them.
KEYS = """
CREATE FUNCTION suppression_keys(email text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    keys text[] := ARRAY[email];
    domain text := split_part(email, '@', 2);
BEGIN
    WHILE strpos(domain, '.') > 0 LOOP
        keys := keys || domain;
        domain := substr(domain, strpos(domain, '.') + 1);
    END LOOP;
    RETURN keys;
END
$$
"""


class Migration(migrations.Migration):
    """A claim asks the suppression list; a suppressed domain finds its open leads."""

    dependencies = [("campaigns", "0016_erasures")]

    operations = [
        migrations.RunSQL(KEYS, "DROP FUNCTION suppression_keys(text)"),
        migrations.AddIndex(
            "lead",
            models.Index(
                Collate(Reverse(Func(F("email"), Value("@"), Value(2), function="split_part")), "C"),
                condition=Q(state="OPEN"),
                name="lead_domain",
            ),
        ),
    ]
