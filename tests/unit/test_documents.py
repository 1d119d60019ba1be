"""What the pages claim about the code is still true."""

import re

import yaml
from prometheus_client import REGISTRY

from inventory.selectors import CHECKS
from inventory.services.catalogue_copies import CHECK
from orders.selectors import ORDER_CHECKS, PAYMENT_CHECKS, PROVIDER_CHECKS
from shop.embedded.home import PROJECT
from shop.errors import Refusal
from tests.unit.test_architecture import our_refusals


def page(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def test_the_api_guidelines_list_every_problem() -> None:
    our_refusals()  # imports every app's
    told = set(
        re.findall(r"^\| \d{3} \| `([a-z_0-9]+)` \|", page("docs/api-guidelines.md"), re.MULTILINE)
    )

    assert set(Refusal.registry) - told == set()


def test_the_runbook_names_metrics_that_exist() -> None:
    known = {metric.name for metric in REGISTRY.collect()}
    known |= {"shop_reconciliation_findings", "shop_reconciliation_last_run_timestamp_seconds"}
    named = set(re.findall(r"`(shop_[a-z_]+)", page("docs/operations/runbook.md")))

    assert {name for name in named if name.removesuffix("_total") not in known} == set()


def test_alerts_ask_for_metrics_that_exist_and_lead_to_a_page() -> None:
    known = {metric.name for metric in REGISTRY.collect()}
    known |= {"shop_reconciliation_findings"}
    rules = [
        rule
        for group in yaml.safe_load(page("deploy/alerts.yaml"))["groups"]
        for rule in group["rules"]
    ]

    for rule in rules:
        named = set(re.findall(r"shop_[a-z_]+", rule["expr"]))
        assert {name for name in named if name.removesuffix("_total") not in known} == set()
        path, _, heading = rule["annotations"]["runbook"].partition(", ")
        assert not heading or f"### {heading.strip(chr(34))}\n" in page(path), rule["alert"]
    assert "ShopLimiterAway" in {rule["alert"] for rule in rules}


def test_the_runbook_says_what_each_finding_means() -> None:
    told = page("docs/operations/runbook.md")
    names = [
        *(check.name for check in CHECKS),
        *(check.name for check in (*ORDER_CHECKS, *PAYMENT_CHECKS)),
        *PROVIDER_CHECKS,
        CHECK,
    ]

    assert [name for name in names if f"`{name}`" not in told] == []


def test_links_between_pages_lead_somewhere() -> None:
    link = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
    broken = [
        f"{path.relative_to(PROJECT)} → {target}"
        for path in [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]
        for target in link.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]

    assert broken == []


def test_make_help_lists_every_target() -> None:
    makefile = page("Makefile")
    phony = re.search(r"^\.PHONY: (.*?)\n\n", makefile, re.MULTILINE | re.DOTALL)
    assert phony is not None

    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))

    assert set(phony[1].replace("\\", "").split()) == explained
    assert {
        *("help", "setup", "run", "test", "check", "lint", "types", "imports", "openapi"),
        *("bench", "load", "demo", "shell", "clean"),
    } <= explained


def test_locks_name_no_place_of_the_machine_that_made_them() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        assert not re.search(r"https?://|file:|--index-url|--find-links|/tmp|/opt", page(name))


def test_the_tests_that_close_holes_are_there() -> None:
    pages = page("docs/security-tests.md") + page("docs/operations/rate-limit.md")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", pages)

    assert len(named) > 50
    assert [
        f"{path}::{name}"
        for path, name in named
        if not (PROJECT / path).exists() or (name and f"def {name}(" not in page(path))
    ] == []
