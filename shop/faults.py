"""Named lines at which a test may have this process wait, fail or die.

Nothing happens unless `SHOP_FAULTS` is on, which settings refuse in production. Then another
process arms a point by a file in `SHOP_HOME/run/faults`: a shop that runs serves many rounds.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import structlog
from django.conf import settings
from django.db import OperationalError

# Every point, once in the code and once here: a test compares the two.
POINTS: Mapping[str, str] = MappingProxyType(
    {
        "idempotency.before_commit": "a POST has done its work and stored its answer",
        "checkout.before_prepare": "the cart is read, nothing is written",
        "checkout.key_claimed": "in the first transaction, with the key alone",
        "checkout.before_stock": "order and payment are written, the stock is not held yet",
        "checkout.before_commit": "all of the first transaction is written",
        "checkout.prepared": "the first transaction is committed",
        "payment.before_asking": "noted that the provider is about to be asked",
        "payment.charged": "the sandbox has taken the money, nobody has heard of it",
        "payment.answered": "the provider's word is here, and nothing of it is written",
        "settle.locked": "order and payment are locked to write down the provider's word",
        "settle.sale_written": "payment, order and answer are written, the stock has not left",
        "settle.before_commit": "all that follows from the money is written",
        "checkout.before_accept": "the answer that the payment is not known yet is written",
        "checkout.settled": "the outcome is committed, the cart is still full",
        "checkout.before_answer": "all is done, but for telling the buyer",
        "cancel.committed": "the order is cancelled, the provider has not heard of it",
        "refund.before_asking": "noted that money is about to be given back",
        "refund.answered": "the provider has given it back, nothing of it is written",
        "sweep.answered": "the sweeper has the provider's word, nothing of it is written",
        "resume.taken": "the resumer has taken a key over, and done nothing yet",
        "catalog.before_forget": "a change of products is committed, copies of them are still kept",
        "outbox.sent": "messages are with the broker, and not marked as sent",
    }
)

log = structlog.get_logger("shop.faults")


class Action(StrEnum):
    """What happens at an armed point."""

    SLEEP = "sleep"
    RAISE = "raise"
    KILL = "kill"  # SIGKILL of this process


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen at a point. Counted over all processes that pass it."""

    action: Action
    seconds: float = 0.0  # of sleep
    passing: int = 1  # happens at the n-th passing, 1 being the next
    times: int = 1  # and at so many passings from there on
    request_id: str = ""  # where it is set, passings of other requests do not count


def fault(point: str, *, error: Callable[[str], Exception] = OperationalError) -> None:
    """Mark a line at which a test may strike. Costs one look at a setting where it is off.

    `error` is what fails here in real life; it is raised where a test asks for that.
    """
    if not settings.SHOP_FAULTS:
        return
    plan = _due(point)
    if plan is None:
        return
    log.warning("fault", point=point, action=plan.action.value)
    match plan.action:
        case Action.SLEEP:
            time.sleep(plan.seconds)
        case Action.RAISE:
            raise error(f"A test asked for this at {point}.")
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, plan: Plan, *, home: Path) -> None:
    """Have `plan` happen in whichever process of that home passes the point. Atomic.

    Raises KeyError for a point that is not declared.
    """
    file = armed_file(point, home=home)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(plan)), encoding="utf-8")
    draft.replace(file)


def disarm(point: str, *, home: Path) -> bool:
    """Call off what was armed; False if it has happened, or was never armed."""
    try:
        armed_file(point, home=home).unlink()
    except FileNotFoundError:
        return False
    return True


def armed_file(point: str, *, home: Path) -> Path:
    """Return the file that is there while the point is armed. Raises KeyError."""
    if point not in POINTS:
        raise KeyError(f"no such fault point: {point}")
    return home / "run" / "faults" / f"{point}.json"


def _due(point: str) -> Plan | None:
    """Count this passing, and return the plan if it is to happen now."""
    path = armed_file(point, home=settings.SHOP_HOME)
    try:
        file = path.open("r+", encoding="utf-8")
    except FileNotFoundError:
        return None
    with file:
        # One passing after the other, over all processes.
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink == 0:  # used up, or replaced, while we waited
            return None
        written = json.load(file)
        plan = Plan(**{**written, "action": Action(written["action"])})
        if plan.request_id and plan.request_id != _request_id():
            return None
        if plan.passing > 1:
            left = {**asdict(plan), "passing": plan.passing - 1}
        elif plan.times > 1:
            left = {**asdict(plan), "times": plan.times - 1}
        else:
            left = {}
        if left:
            file.seek(0)
            file.write(json.dumps(left))
            file.truncate()
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        return plan if plan.passing == 1 else None


def _request_id() -> str:
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))
