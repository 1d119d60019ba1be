"""What import-linter cannot see: keys written as strings, names of tasks, codes of refusals."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models

from shop.celery import app as celery
from shop.db.privileges import APPEND_ONLY
from shop.embedded.home import PROJECT
from shop.errors import Refusal
from shop.management.commands.up import QUEUES
from shop.outbox.listeners import ListenerTask
from shop.outbox.subscribers import SUBSCRIBERS

APPS = ("accounts", "catalog", "inventory", "cart", "orders")
FLOOR = {"shop": 0, "accounts": 1, "catalog": 1, "inventory": 2, "cart": 3, "orders": 4}


def modules(package: str) -> Iterator[ModuleType]:
    """Import every module of an app, but its migrations."""
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if ".migrations" not in found.name:
            yield importlib.import_module(found.name)


def sources(*rooms: str) -> Iterator[tuple[Path, ast.Module]]:
    """Parse the files of these rooms (`services`: the module or the package) of every app."""
    for name in APPS:
        for room in rooms:
            for path in [
                *PROJECT.glob(f"{name}/{room}.py"),
                *PROJECT.glob(f"{name}/{room}/**/*.py"),
            ]:
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def subclasses(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for found in kind.__subclasses__():
        yield found
        yield from subclasses(found)


def our_refusals() -> list[type[Refusal]]:
    for name in ("shop", *APPS):
        list(modules(name))
    return [one for one in subclasses(Refusal) if one.__module__.split(".")[0] in FLOOR]


def _queues_of_up() -> set[str]:
    return {queue for queues, *_ in QUEUES.values() for queue in queues.split(",")}


def test_foreign_keys_point_down() -> None:
    wrong = [
        f"{model._meta.label}.{field.name} → {field.related_model._meta.label}"
        for model in apps.get_models()
        if (ours := model._meta.app_label) in FLOOR
        for field in model._meta.get_fields(include_hidden=True)
        if field.is_relation
        and field.concrete
        and field.related_model is not None
        and not isinstance(field.related_model, str)
        and (theirs := field.related_model._meta.app_label) in FLOOR
        and theirs != ours
        and FLOOR[theirs] >= FLOOR[ours]
    ]

    assert wrong == []


def test_tables_of_one_app_are_in_that_app() -> None:
    assert {model._meta.app_label for model in apps.get_models()} >= {"shop", *APPS}


def test_each_refusal_has_one_kind_and_a_code_of_its_own() -> None:
    refusals = our_refusals()
    kinds = [one for one in refusals if "kind" in one.__dict__]
    assert {one.__module__.split(".")[0] for one in kinds} == {"shop"}

    owner_of_code: dict[str, str] = {}
    for one in refusals:
        name = f"{one.__module__}.{one.__qualname__}"
        assert sum(kind in one.__mro__ for kind in kinds) == 1, f"{name} has not one kind"
        if one in kinds:
            continue
        assert "code" in one.__dict__, f"{name} has no code of its own"
        assert re.fullmatch(r"[a-z][a-z0-9_]*", one.code), name
        assert one.title, f"{name} has no title"
        assert inspect.getdoc(one), f"{name} does not say what it means"
        assert owner_of_code.setdefault(one.code, name) == name, f"two refusals say {one.code}"


def test_each_subscriber_is_a_task() -> None:
    celery.loader.import_default_modules()
    known = set(celery.tasks)

    listeners = {name for names in SUBSCRIBERS.values() for name in names}
    assert listeners - known == set()
    # What a topic tells is told once: who cannot listen just now must come again.
    assert {one for one in listeners if not isinstance(celery.tasks[one], ListenerTask)} == set()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} - known == set()


def test_each_task_is_named_by_its_app_and_function_and_somebody_works_on_its_queue() -> None:
    celery.loader.import_default_modules()
    for name, task in celery.tasks.items():
        if name.startswith("celery."):
            continue
        where = task.__module__.split(".")
        assert name == f"{where[0]}.{task.__name__}", f"{task.__module__} has {name}"
        assert where[1] == "tasks", f"{name} is in {task.__module__}"
        queue = celery.amqp.router.route({}, name)["queue"].name
        assert queue in _queues_of_up(), f"{name} goes to {queue}"


def published_topics() -> dict[str, Path]:
    found = {}
    for path, tree in sources("services"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("publish", "publish_many", "message_of")
            ):
                told = [word.value for word in node.keywords if word.arg == "topic"] + node.args
                for word in ast.walk(told[0]):  # "a" if … else "b" names both
                    if isinstance(word, ast.Constant) and isinstance(word.value, str):
                        found[word.value] = path
    return found


def test_what_is_published_has_a_subscriber_and_the_other_way_round() -> None:
    published = set(published_topics())

    assert published - set(SUBSCRIBERS) == set()
    assert set(SUBSCRIBERS) - published == set()


@pytest.mark.parametrize("call", ["timezone.now", "datetime.now", "time.time", "date.today"])
def test_services_do_not_ask_the_clock(call: str) -> None:
    guilty = [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for path, tree in sources("services")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(call)
    ]

    assert guilty == []


def test_services_take_their_arguments_by_name_but_for_one_whose_meaning_is_plain() -> None:
    guilty = []
    for name in APPS:
        door = importlib.import_module(f"{name}.services")
        for word in getattr(door, "__all__", [w for w in vars(door) if not w.startswith("_")]):
            service = getattr(door, word)
            if not inspect.isfunction(service) or not service.__module__.startswith(
                f"{name}.services"
            ):
                continue
            by_place = [
                one.name
                for one in inspect.signature(service).parameters.values()
                if one.kind is not inspect.Parameter.KEYWORD_ONLY
            ]
            if len(by_place) > 1:
                guilty.append(f"{service.__module__}.{word}: {by_place}")

    assert guilty == []


def test_no_room_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "helpers", "misc", "common", "signals"}
    guilty = [
        str(path.relative_to(PROJECT))
        for name in ("shop", *APPS)
        for path in (PROJECT / name).rglob("*.py")
        if path.stem in drawers or path.parent.name in drawers
    ]

    assert guilty == []


def test_production_has_a_pattern_for_every_variable_that_settings_read() -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    tree = ast.parse((PROJECT / "shop" / "settings.py").read_text(encoding="utf-8"))
    read = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).startswith(("env.", "_secret"))
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
        and re.fullmatch(r"[A-Z_]+", node.args[0].value)
    }

    assert {
        name for name in read if not re.search(rf"^#? ?{name}=", example, re.MULTILINE)
    } == set()


@pytest.mark.parametrize("label", sorted(APPEND_ONLY))
def test_what_is_written_once_is_not_emptied_by_what_it_points_at(label: str) -> None:
    """SET_NULL is an UPDATE, sent even where no row matches: none may be sent to these tables."""
    emptied = {
        key.name
        for key in apps.get_model(label)._meta.concrete_fields
        if key.remote_field and key.remote_field.on_delete is models.SET_NULL
    }

    # Content types are deleted by migrations alone, whose role may do it.
    assert emptied <= {"content_type"}
