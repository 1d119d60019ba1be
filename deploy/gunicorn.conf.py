"""How gunicorn serves the shop, here and in production. Numbers: docs/operations/runbook.md."""

import gc
import os
from pathlib import Path

from gunicorn import util
from prometheus_client import multiprocess

from shop.http.server_errors import write_problem

# What is refused before Django sees it has the shape of all refusals.
util.write_error = write_problem

if metrics_folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(metrics_folder).mkdir(parents=True, exist_ok=True)

bind = os.environ.get("SHOP_BIND") or f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "shop.http.worker.LeavingWorker"  # gthread
workers = int(os.environ.get("SHOP_WEB_WORKERS") or 2)
threads = int(os.environ.get("SHOP_WEB_THREADS") or 4)
reuse_port = True
preload_app = True
# Longer than a load balancer's own, so that it is never surprised by a closed connection.
keepalive = 75
timeout = 30
graceful_timeout = int(os.environ.get("SHOP_GRACEFUL_SECONDS") or 25)
# Seldom, and far apart: one that ends waits two seconds for its clients before the next one begins,
# and where all do so together nobody listens.
max_requests = 200_000
max_requests_jitter = 200_000
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True
# Requests are logged by the shop itself, with their ids.
accesslog = None
loglevel = os.environ.get("SHOP_GUNICORN_LOG_LEVEL") or "info"
limit_request_line = 8190
limit_request_fields = 100


def when_ready(server):
    """Keep what was loaded before the fork out of the workers' garbage collection."""
    gc.collect()
    gc.freeze()


def child_exit(server, worker):
    """Drop a dead worker's gauges from /metrics."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(worker.pid)
