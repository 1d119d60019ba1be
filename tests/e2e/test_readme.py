"""What the README tells a newcomer to type works as it stands."""

import re
import subprocess
import time
from collections.abc import Iterator

import requests

from shop.embedded.home import PROJECT
from tests.shop_process import RunningShop, newcomers_environment


def commands() -> str:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    (found,) = (
        block
        for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
        if "$API/checkout" in block
    )
    return str(found)


def test_its_three_commands_place_a_paid_order(shop_run: RunningShop) -> None:
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands()],
        env=newcomers_environment(PORT=str(shop_run.port)),
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert result.returncode == 0, result.stderr
    assert '"status":"confirmed","payment_status":"paid"' in result.stdout
    (number,) = re.findall(r'"number":"([0-9A-Z]+)"', result.stdout)
    assert requests.get(f"{shop_run.url}/api/v1/orders/{number}", timeout=60).status_code in (
        401,
        404,
    )


def test_a_mail_confirms_the_order(shop_run: RunningShop) -> None:
    mails = shop_run.home / "mail"
    before = set(mails.glob("*")) if mails.exists() else set()

    test_its_three_commands_place_a_paid_order(shop_run)

    wait_for_mail = (set(mails.glob("*")) - before for _ in poll(120))
    assert any(
        "ada@example.com" in path.read_text(errors="replace")
        for found in wait_for_mail
        for path in found
    )


def poll(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.2)
