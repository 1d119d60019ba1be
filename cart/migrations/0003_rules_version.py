"""One row that changes with every change of a rule: by staff, by a migration or by hand."""

from django.db import migrations, models

TABLES = ("cart_shippingzone", "cart_shippingmethod", "cart_shippingrate", "cart_taxrate")

TRIGGERS = """
INSERT INTO cart_rulesversion (id, version) VALUES (true, gen_random_uuid());

CREATE FUNCTION cart_rules_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cart_rulesversion (id, version) VALUES (true, gen_random_uuid())
        ON CONFLICT (id) DO UPDATE SET version = excluded.version;
    RETURN NULL;
END $$;
""" + "".join(
    f"""
CREATE TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION cart_rules_changed();
"""
    for table in TABLES
)

NO_TRIGGERS = (
    "".join(f"DROP TRIGGER rules_changed ON {table};\n" for table in TABLES)
    + "DROP FUNCTION cart_rules_changed();"
)


class Migration(migrations.Migration):
    dependencies = [("cart", "0002_first_rules")]

    operations = [
        migrations.CreateModel(
            name="RulesVersion",
            fields=[
                (
                    "id",
                    models.BooleanField(default=True, primary_key=True, serialize=False),
                ),
                ("version", models.UUIDField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", True)), name="rules_version_is_one"
                    )
                ],
            },
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
