"""The database itself keeps the ledger append-only, and keeps room for updates of stock in place."""

from django.db import migrations

SEAL = """
CREATE FUNCTION inventory_refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Tests empty every table between them, in databases that are named so.
    IF TG_OP = 'TRUNCATE' AND current_database() LIKE 'test\\_%' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The stock ledger is append-only: % refused.', TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER movement_never_changes
    BEFORE UPDATE OR DELETE ON inventory_stockmovement
    FOR EACH ROW EXECUTE FUNCTION inventory_refuse_ledger_change();
CREATE TRIGGER movement_never_truncated
    BEFORE TRUNCATE ON inventory_stockmovement
    FOR EACH STATEMENT EXECUTE FUNCTION inventory_refuse_ledger_change();
"""

UNSEAL = """
DROP TRIGGER movement_never_truncated ON inventory_stockmovement;
DROP TRIGGER movement_never_changes ON inventory_stockmovement;
DROP FUNCTION inventory_refuse_ledger_change();
"""


class Migration(migrations.Migration):

    dependencies = [("inventory", "0001_initial")]

    operations = [
        migrations.RunSQL(SEAL, UNSEAL),
        # Counters change all the time and no index holds them: with room on the page an update
        # stays there and touches no index (a HOT update).
        migrations.RunSQL(
            "ALTER TABLE inventory_stock SET (fillfactor = 50)",
            "ALTER TABLE inventory_stock RESET (fillfactor)",
        ),
    ]
