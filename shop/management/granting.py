"""Giving the roles of the database what they are for: timeouts, places, ownership and rights."""

from collections.abc import Iterator, Mapping

from django.core.management.base import CommandError
from django.db import connection, transaction
from psycopg import sql

from shop.db.privileges import BOUND, SCHEMA, default_statements, privilege_statements
from shop.db.timeouts import SESSION, TIMEOUTS
from shop.db.version import server_version

PURPOSES = ("web", "worker", "readonly", "migrator")

# What makes a role more than its rights to tables. Only a superuser could take it away.
_POWERS = """
SELECT power.name, power.has FROM pg_roles, LATERAL (VALUES
    ('superuser', rolsuper), ('createrole', rolcreaterole), ('createdb', rolcreatedb),
    ('replication', rolreplication), ('bypassrls', rolbypassrls)
) AS power (name, has)
WHERE rolname = %s
"""
# Tables, sequences of their own, views and functions that some other role owns; what belongs to an
# extension stays with it, and a column's sequence goes with its table.
_TO_TAKE_OVER = """
SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
            WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, oid::regclass::text
FROM pg_class
WHERE relnamespace = %(schema)s::regnamespace AND relkind IN ('r', 'p', 'S', 'v', 'm')
  AND relowner IS DISTINCT FROM to_regrole(%(role)s)
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('e', 'a', 'i'))
UNION ALL
SELECT 'ROUTINE', oid::regprocedure::text
FROM pg_proc
WHERE pronamespace = %(schema)s::regnamespace AND proowner IS DISTINCT FROM to_regrole(%(role)s)
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
ORDER BY 1, 2
"""


def give_roles(
    roles: Mapping[str, str],
    *,
    apply: bool = True,
    create: bool = False,
    rights_only: bool = False,
    passwords: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the SQL that gives `roles`, by purpose, what they are for; execute it if `apply`.

    `create` makes those that are not there, and gives `passwords` to theirs. All of it in one
    transaction; safe to repeat.

    Raises CommandError for a role that is not there, serves two purposes, or could do more than
    its purpose whatever it is given: then nothing was done.
    """
    if len(set(roles.values())) < len(roles):
        raise CommandError("A role cannot be for two things: its timeouts would be the last's.")
    if apply and not create and (missing := sorted(set(roles.values()) - _known(roles))):
        raise CommandError(
            f"There is no role {', '.join(missing)}: create it (--create), or name another."
        )
    told = []
    with transaction.atomic(), connection.cursor() as cursor:
        # Two of these at once would change the same rows of the catalogue.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('database_roles'))")
        if _has_trigrams():
            # Settings of an extension can be given to roles once the session has loaded it.
            cursor.execute("SELECT word_similarity('a', 'b')")
        for statement in _statements(
            roles, create=create, rights_only=rights_only, passwords=passwords or {}
        ):
            text = statement.as_string(cursor.connection)
            told.append(text)
            if apply:
                cursor.execute(text)
        if apply:
            for purpose in BOUND:
                if purpose in roles:
                    _refuse_powers(roles[purpose])
    return told


def _statements(
    roles: Mapping[str, str], *, create: bool, rights_only: bool, passwords: Mapping[str, str]
) -> Iterator[sql.Composed]:
    version = server_version()
    if not rights_only:
        if create:
            yield from _roles_to_be(roles, passwords)
        for purpose, role in roles.items():
            yield from _timeouts(purpose, role, version=version)
        yield from _places(roles)
        if migrator := roles.get("migrator"):
            yield from _ownership(migrator)
            yield from default_statements(roles, owner=migrator)
    yield from default_statements(roles)
    yield from privilege_statements(roles, there=_tables(), version=version)


def _roles_to_be(roles: Mapping[str, str], passwords: Mapping[str, str]) -> Iterator[sql.Composed]:
    known = _known(roles)
    for purpose, role in roles.items():
        name = sql.Identifier(role)
        if role not in known:
            yield sql.SQL("CREATE ROLE {} LOGIN").format(name)
        if password := passwords.get(purpose):
            # What the server keeps, and not the word itself: statements are written into logs.
            connection.ensure_connection()
            verifier = connection.connection.pgconn.encrypt_password(
                password.encode(), role.encode(), b"scram-sha-256"
            )
            yield sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(verifier.decode()))


def _timeouts(purpose: str, role: str, *, version: int) -> Iterator[sql.Composed]:
    told = {**TIMEOUTS[purpose].settings(server_version=version), **SESSION}
    if purpose == "readonly":
        told["default_transaction_read_only"] = "on"
    for name, value in told.items():
        yield sql.SQL("ALTER ROLE {} SET {} = {}").format(
            sql.Identifier(role), sql.Identifier(*name.split(".")), sql.Literal(value)
        )


def _places(roles: Mapping[str, str]) -> Iterator[sql.Composed]:
    """Yield who may come into the database, and make something in it: the migrator alone."""
    database = sql.Identifier(str(connection.settings_dict["NAME"]))
    schema = sql.Identifier(SCHEMA)
    yield sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database)
    yield sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC").format(schema)
    for purpose, role in roles.items():
        who = sql.Identifier(role)
        yield sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(database, who)
        yield sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(schema, who)
        also, inside = (", CREATE, TEMPORARY", ", CREATE") if purpose == "migrator" else ("", "")
        yield sql.SQL(f"GRANT CONNECT{also} ON DATABASE {{}} TO {{}}").format(database, who)
        yield sql.SQL(f"GRANT USAGE{inside} ON SCHEMA {{}} TO {{}}").format(schema, who)


def _ownership(role: str) -> Iterator[sql.Composed]:
    with connection.cursor() as cursor:
        cursor.execute(_TO_TAKE_OVER, {"schema": SCHEMA, "role": _quoted(role)})
        found = cursor.fetchall()
    for kind, name in found:
        # Quoted by the database where it has to be.
        yield sql.SQL(f"ALTER {kind} {name} OWNER TO {{}}").format(sql.Identifier(role))


def _refuse_powers(role: str) -> None:
    """Raise CommandError where a role could do more than its rights to tables say."""
    with connection.cursor() as cursor:
        cursor.execute(_POWERS, [role])
        if powers := [name for (name, has) in cursor.fetchall() if has]:
            raise CommandError(f"{role} has powers beyond its rights: {', '.join(powers)}.")
        cursor.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class"
            " WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')"
            " AND pg_has_role(%s, relowner, 'MEMBER')",
            [SCHEMA, role],
        )
        if owners := [name for (name,) in cursor.fetchall()]:
            raise CommandError(f"{role} may act as the tables' owner: {', '.join(owners)}.")


def _known(roles: Mapping[str, str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(roles.values())]
        )
        return {name for (name,) in cursor.fetchall()}


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class"
            " WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')",
            [SCHEMA],
        )
        return [name for (name,) in cursor.fetchall()]


def _has_trigrams() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')")
        return bool(cursor.fetchone()[0])


def _quoted(role: str) -> str:
    return sql.Identifier(role).as_string(None)
