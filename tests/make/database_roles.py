"""Roles of the database, as production has them; each test database has its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import connection
from psycopg import sql

from shop.management.granting import PURPOSES, give_roles


def role(purpose: str) -> str:
    return f"{purpose}_of_{connection.settings_dict['NAME']}"


def roles(*purposes: str) -> dict[str, str]:
    return {purpose: role(purpose) for purpose in purposes or PURPOSES}


@contextmanager
def made_roles(*purposes: str) -> Iterator[None]:
    """Make the roles, with their rights, for the time of the block."""
    give_roles(roles(*purposes), create=True)
    try:
        yield
    finally:
        drop_roles(roles(*purposes))


def drop_roles(made: Mapping[str, str]) -> None:
    """Drop roles; what they own becomes ours."""
    with connection.cursor() as cursor:
        for name in map(sql.Identifier, made.values()):
            cursor.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(name))
            cursor.execute(sql.SQL("DROP OWNED BY {}").format(name))
            cursor.execute(sql.SQL("DROP ROLE {}").format(name))


@contextmanager
def acting_as(purpose: str) -> Iterator[None]:
    """Have this connection do only what the role may. What it begins must end inside."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role(purpose))))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
