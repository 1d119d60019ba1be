"""The whole shop with the broker that production has."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Shopper
from tests.e2e.test_imports import imported
from tests.shop_process import running_shop

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def broker(rabbitmq_url: str) -> Iterator[str]:
    """Return the address of a corner of the broker that nobody else uses, where we may make one."""
    control = shutil.which("rabbitmqctl")
    corner = f"shop-test-{uuid.uuid4().hex[:12]}"
    if control is None or not _runs(control, "add_vhost", corner):
        yield rabbitmq_url
        return
    try:
        assert _runs(control, "set_permissions", "-p", corner, "guest", ".*", ".*", ".*")
        yield rabbitmq_url.rstrip("/") + f"/{corner}"
    finally:
        _runs(control, "delete_vhost", corner)


def _runs(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=120).returncode == 0


def test_what_a_request_makes_true_reaches_a_worker_through_rabbitmq(
    broker: str, tmp_path: Path
) -> None:
    home, env = tmp_path / "home", {"CELERY_BROKER_URL": broker}
    with running_shop(home, demo=False, env=env, is_migrated=True) as shop:
        email, _ = Shopper(shop.url).register()

        end = time.monotonic() + 240
        while not (told := mails_to(email, home)):
            assert time.monotonic() < end, shop.log.read_text()[-4000:]
            time.sleep(0.2)
        time.sleep(1)  # for a second one, if there were one

        assert len(mails_to(email, home)) == len(told) == 1
        assert f"amqp://guest:**@{broker.split('@')[1]}" in shop.log.read_text()
        if corner := broker.rpartition("/")[2]:
            kinds = listed("rabbitmqctl", "list_queues", "--quiet", "-p", corner, "name", "type")
            queues = ("critical", "mail", "default", "bulk", "pictures", "webhooks")
            assert {name: kinds.get(name) for name in queues} == dict.fromkeys(queues, "quorum")


def test_a_job_is_carried_through_by_workers_behind_rabbitmq(broker: str, tmp_path: Path) -> None:
    rows = "\n".join(f"mug-{number},Mug {number},M-{number},12.00" for number in range(50))
    content = f"Handle,Title,Variant SKU,Variant Price\n{rows}\ncup,Cup,C-1,a lot\n"
    env = {"CELERY_BROKER_URL": broker}
    with running_shop(tmp_path / "home", demo=False, env=env, is_migrated=True) as shop:
        clerk = Shopper(shop.url)
        clerk.sign_in(shop.staff_email, shop.staff_password)

        job = imported(clerk, content.encode())[-1]

        assert job["state"] == "succeeded", shop.log.read_text()[-4000:]
        assert job["result"] == {"created": 50, "updated": 0, "skipped": 0, "failed": 1}


def mails_to(email: str, home: Path) -> list[str]:
    return [
        line
        for mail in (home / "mail").glob("*")
        for line in mail.read_text().splitlines()
        if line == f"To: {email}"
    ]


def listed(*command: str) -> dict[str, str]:
    lines = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout.splitlines()
    return dict(line.split("\t") for line in lines if "\t" in line)
