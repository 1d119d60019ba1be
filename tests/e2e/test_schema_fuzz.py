"""Schemathesis against a running shop: what the OpenAPI document says is what it does.

`make fuzz` runs it, at 100 examples an operation: random input has no place among the tests that
decide whether a change lands.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.client import Shopper
from tests.e2e.conftest import ShopRun

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "")
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,negative_data_rejection,"
    "unsupported_method,use_after_free,ensure_resource_availability,ignored_auth"
)

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not EXAMPLES, reason="`make fuzz` runs it, or FUZZ_EXAMPLES=n"),
]


@pytest.mark.parametrize("identity", ["nobody", "customer", "staff"])
def test_no_answer_is_undocumented(shop_run: ShopRun, identity: str, tmp_path: Path) -> None:
    shopper = Shopper(shop_run.url)
    if identity == "customer":
        shopper.register()
    elif identity == "staff":
        shopper.sign_in(shop_run.staff_email, shop_run.staff_password)
    who = shopper.session.headers.get("Authorization")

    fuzzed = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(Path(__file__).with_name("schemathesis.toml")),
            "run",
            f"{shop_run.url}/api/schema?format=json",
            "--checks",
            CHECKS,
            "--max-examples",
            EXAMPLES,
            "--phases",
            "examples,coverage,fuzzing",
            # One: in threads of CPython 3.11 the generator's own parsing now and then fails.
            "--workers",
            "1",
            "--request-timeout",
            "20",
            "--warnings",
            "off",
            # It would sign the identity out, and every later answer would be a 401.
            "--exclude-path",
            "/api/v1/auth/logout-all",
            *(["--header", f"Authorization: {who!s}"] if who else []),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )

    assert fuzzed.returncode == 0, fuzzed.stdout[-20_000:] + fuzzed.stderr[-2000:]
