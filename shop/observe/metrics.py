"""The shop's own Prometheus metrics. Labels are closed sets: routes, codes, states; never ids."""

from prometheus_client import Counter, Gauge, Histogram

requests = Counter("shop_http_requests_total", "Requests answered.", ["method", "route", "status"])
request_seconds = Histogram(
    "shop_http_request_seconds",
    "Seconds from the first middleware to the answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
rate_limit_decisions = Counter(
    "shop_rate_limit_decisions_total",
    "Requests under the rate limit, allowed or refused, by policy.",
    ["outcome", "policy"],
)
rate_limit_fallbacks = Counter(
    "shop_rate_limit_fallback_total",
    "Requests counted by their process alone, as the limiter's Redis did not answer.",
    ["policy"],
)
cache_reads = Counter(
    "shop_cache_reads_total", "Reads of the cache-aside stores.", ["name", "outcome"]
)
outbox_messages = Counter("shop_outbox_messages_total", "Messages relayed.", ["topic"])
outbox_oldest_seconds = Gauge(
    "shop_outbox_oldest_seconds",
    "Age of the oldest message that waits to be relayed.",
    multiprocess_mode="livemax",
)
jobs = Counter("shop_jobs_ended_total", "Jobs that ended.", ["kind", "state"])
idempotent_replays = Counter(
    "shop_idempotent_replays_total", "Answers given again for a known Idempotency-Key."
)
transaction_retries = Counter(
    "shop_transaction_retries_total", "Transactions run again after a conflict.", ["sqlstate"]
)
flash_sale_gate = Counter(
    "shop_flash_sale_gate_total",
    "What the gates of flash sales said: admitted, waiting, refused, or open for want of Valkey.",
    ["outcome"],
)
flash_sale_units_granted = Counter(
    "shop_flash_sale_units_granted_total", "Units of flash sales that the database has promised."
)
flash_sale_waiting = Gauge(
    "shop_flash_sale_waiting",
    "Tickets in line at the gate that was asked last.",
    multiprocess_mode="mostrecent",
)
security_events = Counter(
    "shop_security_events_total", "Security events, by name: shop.observe.security.", ["event"]
)
