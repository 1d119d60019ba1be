"""A worker whose task fails as often as it is told to, and notes when it ran; and its sender.

celery -A tests.integration.shop.retrying worker -Q critical
python -m tests.integration.shop.retrying 200
"""

import json
import os
import sys
import time
from typing import Any

import redis
from celery import Task
from django.conf import settings
from django.db import OperationalError

from shop.celery import app
from shop.outbox import listeners

TIMES = int(os.environ["RETRY_TIMES"])
# Somebody else's server gets a minute each time, and here so many seconds.
listeners.PAUSES_SECONDS = (int(os.environ["RETRY_OTHERS_SECONDS"]),) * TIMES
if "RETRY_WITHIN_SECONDS" in os.environ:
    listeners.LONGEST_PAUSE_SECONDS = float(os.environ["RETRY_WITHIN_SECONDS"])


@app.task(name="orders.fail_some_times", base=listeners.ListenerTask, bind=True)
def fail_some_times(self: "Task[Any, Any]", *, number: int) -> None:
    """Fail: even numbers as where our database is away, odd ones as where a mail server is."""
    retries = self.request.retries or 0
    run = {"number": number, "retries": retries, "at": time.time(), "due": self.request.eta}
    with redis.Redis.from_url(settings.REDIS_CARTS_URL) as client:
        client.rpush(os.environ["RETRY_NOTES"], json.dumps(run))
    if retries < TIMES:
        raise OperationalError if number % 2 == 0 else ConnectionRefusedError


if __name__ == "__main__":
    for each in range(int(sys.argv[1])):
        app.send_task("orders.fail_some_times", kwargs={"number": each})
