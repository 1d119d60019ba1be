"""What the tables of the ground, and of Django's own apps, hold of people."""

from shop.privacy.registry import DataClass, Erasure, Personal, Table

_JOB = "as long as the job: 14 days after its end, 2 for a person's own data"
_KEY = "72 hours"

TABLES = (
    Table("contenttypes.ContentType", plain="app_label model"),
    Table("auth.Permission", plain="name codename"),
    Table("auth.Group", plain="name"),
    Table(
        "sessions.Session",
        personal={
            "session_key": Personal(DataClass.SECRET, Erasure.EXPIRE, "8 hours; staff alone"),
            "session_data": Personal(DataClass.SECRET, Erasure.EXPIRE, "8 hours; staff alone"),
        },
    ),
    Table(
        "admin.LogEntry",
        plain="object_id change_message",
        personal={
            # A person is written down by name.
            "object_repr": Personal(DataClass.NAME, Erasure.REPLACE, "no limit: who changed what"),
        },
        not_about="They tell what staff did in the course of their work.",
    ),
    Table(
        "shop.Job",
        plain="options cursor result reason exclusive_key input_name kind",
        personal={
            "source_name": Personal(DataClass.FREE_TEXT, Erasure.DELETE, _JOB),
        },
        subject="owner_id",
        section="jobs",
    ),
    Table(
        "shop.JobError",
        plain="column code",
        personal={"detail": Personal(DataClass.FREE_TEXT, Erasure.DELETE, _JOB)},
    ),
    Table(
        "shop.JobRow",
        plain="key sku",
        personal={"cells": Personal(DataClass.FREE_TEXT, Erasure.EXPIRE, "while the job runs")},
    ),
    Table(
        "shop.IdempotencyKey",
        plain="route request_hash resource response_headers",
        personal={
            "subject": Personal(DataClass.IDENTIFIER, Erasure.DELETE, _KEY),
            "key": Personal(DataClass.IDENTIFIER, Erasure.DELETE, _KEY),
            "response_body": Personal(DataClass.SECRET, Erasure.DELETE, _KEY),
        },
        subject="subject",
        subject_form="user:{id}",
    ),
    # Ids and a version, by contract; a test looks.
    Table("shop.OutboxMessage", plain="topic key payload"),
    Table("shop.InboxMessage", plain="consumer message_id"),
    Table(
        "shop.PiiAccess",
        plain="table row fields request_id",
        personal={"reason": Personal(DataClass.FREE_TEXT, Erasure.KEEP, "no limit: an audit")},
    ),
    Table("shop.ChangeByStaff"),
    Table("pghistory.Context", plain="metadata"),
    Table(
        # A view over all tables of changes, which keeps nothing.
        "pghistory.Events",
        plain="pgh_slug pgh_model pgh_label pgh_obj_model pgh_obj_id pgh_data pgh_diff pgh_context",
    ),
)
