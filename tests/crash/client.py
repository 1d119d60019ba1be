"""Buyers that do not give up, and the file of all that they were told."""

import contextlib
import hashlib
import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.client import ADDRESS

PATIENCE_SECONDS = 150.0
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        with contextlib.suppress(ValueError):
            found = json.loads(self.content or b"{}")
            if isinstance(found, dict):
                return found
        return {}

    @property
    def is_replay(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def number(self) -> str:
        return str(self.body.get("order", {}).get("number", ""))


@dataclass(slots=True)
class Journal:
    """What clients were told, each line on disk before the client goes on."""

    path: Path
    strange: list[str] = field(default_factory=list)  # answers that nobody should ever get
    cancelled: set[str] = field(default_factory=set)  # e-mails of those who sent their order back
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def note(self, **told: object) -> None:
        with self._writing, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": time.time(), **told}) + "\n")

    def complain(self, text: str) -> None:
        with self._writing:
            self.strange.append(text)

    def acknowledged(self) -> Iterator[dict[str, Any]]:
        """Give every 2xx answer to a checkout."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                told = json.loads(line)
                if told["what"] == "checkout" and 200 <= told["status"] < 300:
                    yield told


@dataclass(slots=True)
class Insistence:
    """One request, sent with its key again and again until there is an answer to keep."""

    answer: Answer | None = None
    asked: int = 0
    lost: int = 0  # connections that broke before an answer came
    unavailable: int = 0  # answers 503 with Retry-After
    in_progress: int = 0  # answers 409: the one who was killed may still be at work
    trouble_since: float | None = None
    answered_at: float = 0.0

    @property
    def recovery_seconds(self) -> float | None:
        """Return how long it took from the request that broke to the answer; None if none did."""
        if self.trouble_since is None or self.answer is None:
            return None
        return self.answered_at - self.trouble_since


@dataclass(slots=True)
class Buyer:
    """A guest with a cart, an address of their own to be found by, and a key for each wish."""

    port: int
    journal: Journal
    email: str = field(default_factory=lambda: f"{uuid.uuid4().hex}@crash.example")
    key: str = field(default_factory=lambda: f"crash-{uuid.uuid4().hex}")
    cart_token: str = ""
    authorization: str = ""
    token: str = "tok_ok"

    def fill_cart(self, variant_id: int) -> None:
        """Put one unit into a new cart, however often that takes."""
        told = self._insist("cart", "/cart/items", {"variant_id": variant_id, "quantity": 1}, {})
        if told.answer is not None:
            self.cart_token = told.answer.headers.get("x-cart-token", "")

    def check_out(self, *, request_id: str = "") -> Insistence:
        body = {
            "email": self.email,
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment": {"provider": "sandbox", "token": self.token},
        }
        headers = {"X-Cart-Token": self.cart_token, "Idempotency-Key": self.key}
        return self._insist("checkout", "/checkout", body, headers, request_id=request_id)

    def cancel(self, number: str, access_token: str, *, request_id: str = "") -> Insistence:
        headers = {"X-Order-Token": access_token, "Idempotency-Key": f"{self.key}-cancel"}
        told = self._insist(
            "cancel", f"/orders/{number}/cancel", {}, headers, request_id=request_id
        )
        if told.answer is not None and told.answer.status == 200:
            self.journal.cancelled.add(self.email)
        return told

    def register(self) -> None:
        """Become a customer who is signed in."""
        person = {"email": self.email, "password": "correct horse battery"}
        self._insist("register", "/auth/register", person, {"Idempotency-Key": self.key})
        told = self._insist("sign in", "/auth/token", person, {})
        if told.answer is not None:
            self.authorization = f"Bearer {told.answer.body.get('access', '')}"

    def add_address(self, *, request_id: str = "") -> Insistence:
        headers = {"Idempotency-Key": f"{self.key}-address"}
        return self._insist("address", "/me/addresses", ADDRESS, headers, request_id=request_id)

    def _insist(
        self,
        what: str,
        path: str,
        body: object,
        headers: Mapping[str, str],
        *,
        request_id: str = "",
    ) -> Insistence:
        told = Insistence()
        # A fault that waits for this request strikes once: those that follow may have the same id.
        known_as = {"X-Request-ID": request_id} if request_id else {}
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            asked_at = time.monotonic()
            told.asked += 1
            try:
                answer = self.send("POST", path, body, {**headers, **known_as})
            except (OSError, http.client.HTTPException):
                told.lost += 1
                told.trouble_since = told.trouble_since or asked_at
                time.sleep(0.1)
                continue
            if self._comes_back(what, answer, told, asked_at):
                time.sleep(min(float(answer.headers.get("retry-after", 1)), 1.0))
                continue
            told.answer, told.answered_at = answer, time.monotonic()
            self.journal.note(
                what=what,
                email=self.email,
                key=headers.get("Idempotency-Key", ""),
                status=answer.status,
                number=answer.number,
                digest=hashlib.sha256(answer.content).hexdigest(),
            )
            if answer.status >= 500:
                self.journal.complain(f"{what}: answered {answer.status}")
            return told
        self.journal.complain(f"{what}: no answer in {PATIENCE_SECONDS:.0f} s for {self.email}")
        return told

    def _comes_back(self, what: str, answer: Answer, told: Insistence, asked_at: float) -> bool:
        if answer.status == 503:
            told.unavailable += 1
            told.trouble_since = told.trouble_since or asked_at
            if "retry-after" not in answer.headers:
                self.journal.complain(f"{what}: 503 without Retry-After")
            return True
        if answer.body.get("code") == "idempotency_in_progress":
            told.in_progress += 1
            return True
        return False

    def send(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        """Send one request on a connection of its own. Raises OSError and HTTPException."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        with contextlib.closing(connection):
            connection.request(
                method,
                f"/api/v1{path}",
                json.dumps(body),
                {
                    "Content-Type": "application/json",
                    **({"Authorization": self.authorization} if self.authorization else {}),
                    **headers,
                },
            )
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
