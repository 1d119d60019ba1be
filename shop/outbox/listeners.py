"""The base of every task that a topic wakes."""

import random
from typing import Any

from celery import Task
from django.db import InterfaceError, OperationalError
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from shop.errors import Unavailable

# Something of ours is away or busy: it comes back, however long that takes.
AWAY = (OperationalError, InterfaceError, RedisError, ConnectionInterrupted, Unavailable)
# Below the time after which a Redis broker gives out again what was not acknowledged.
LONGEST_PAUSE_SECONDS: float = 60
# Somebody else's server, such as that of mails, gets these many more chances: half an hour.
PAUSES_SECONDS: tuple[float, ...] = (LONGEST_PAUSE_SECONDS,) * 30


class ListenerTask(Task):  # type: ignore[type-arg]  # generic for mypy only, not when it runs
    """A task that comes again where what it needs is away.

    A message that was relayed is not relayed again: without this, a listener that fails while the
    database restarts would have lost it, as a broker counts what failed as done. A bug is not
    tried again.
    """

    autoretry_for = (*AWAY, OSError)  # smtplib's errors are among the latter

    def retry(self, *args: Any, **kwargs: Any) -> Any:
        retries = self.request.retries or 0
        if isinstance(kwargs.get("exc"), AWAY):
            # Never below a second: RabbitMQ's delays are whole seconds, none of them is nought, and
            # a message that asks for less is refused and gone.
            longest = min(2 ** (retries + 1), LONGEST_PAUSE_SECONDS)
            pause = longest * random.uniform(0.5, 1.0)  # noqa: S311
            kwargs |= {"countdown": pause, "max_retries": retries + 1}
        else:
            pause = PAUSES_SECONDS[min(retries, len(PAUSES_SECONDS) - 1)]
            kwargs |= {"countdown": pause, "max_retries": len(PAUSES_SECONDS)}
        return super().retry(*args, **kwargs)
