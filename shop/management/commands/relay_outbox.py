"""`manage.py relay_outbox`: hand what was published to the task queue, for ever."""

import signal
import threading
import time
from types import FrameType
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from shop.outbox.services import relay_forever

log = structlog.get_logger("shop.outbox")


class Command(BaseCommand):
    help = "Relay outbox messages to the broker until stopped (SIGTERM or Ctrl-C)."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        while not stopping.is_set():
            try:
                relay_forever(clock=timezone.now, is_stopping=stopping.is_set)
            except (OperationalError, InterfaceError) as error:
                log.warning("database_unavailable", error=type(error).__name__)
                connection.close()
                time.sleep(1)
