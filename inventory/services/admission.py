"""Who is let in to a flash sale now. The gate only refuses early and sets the pace.

What the gate cannot tell, it does not refuse: while Valkey is away everyone is let in, and the
database decides alone, as it always does.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil

import structlog
from django.db import transaction
from redis.exceptions import RedisError

from inventory.errors import FlashSaleOver, OutOfStock, TicketNotFound
from inventory.selectors import SaleTerms, flash_sale_of, sale_board, units_left_in_sales
from inventory.store import gate
from inventory.store.gate import Pace, Word
from shop.observe import metrics
from shop.privacy import keyed_digest

LONGEST_POLL_SECONDS = 5  # so soon one who waits should ask again, at the latest
_SIGNATURE_LENGTH = 20

log = structlog.get_logger("inventory.admission")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the line before a flash sale: `waiting`, `admitted`, or `gone` and `why`.

    `estimated_seconds` is from the pace of the last minute.
    """

    id: str
    state: str
    position: int = 0
    estimated_seconds: int = 0
    until: datetime | None = None
    why: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the ticket as clients read it."""
        told: dict[str, object] = {
            "id": self.id,
            "state": self.state,
            "poll_url": f"/api/v1/flash-sales/tickets/{self.id}",
        }
        match self.state:
            case "waiting":
                told |= {"position": self.position, "estimated_seconds": self.estimated_seconds}
            case "admitted":
                told |= {"admitted_until": self.until}
            case _:
                told |= {"reason": self.why}
        return told

    @property
    def ask_again_seconds(self) -> int:
        """How long to wait before asking how it stands."""
        return min(max(self.estimated_seconds // 2, 1), LONGEST_POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to try, until it is given back by `leave_sales`; or a ticket to wait with."""

    key: str = ""
    holder: str = ""
    passed: tuple[tuple[Pace, str], ...] = ()  # and the ticket that was used for it
    ticket: Ticket | None = None


def enter_sales(
    *,
    units: Mapping[int, int],
    key: str,
    holder: str,
    tickets: Iterable[str] = (),
    now: datetime,
) -> Admission:
    """Ask the gates of the flash sales that run of these variants, whose `units` are wanted.

    Without such a sale, and while Valkey is away, the answer is yes. `key` is the request's, let in
    again whenever it comes again; `holder` has one place in line. No SQL, but for one caller a
    second who looks what is left.

    Raises OutOfStock when a sale has sold out. Whoever is admitted calls `leave_sales`.
    """
    board = sale_board()
    sales = [
        sale for variant_id in units if (sale := board.running(variant_id, now=now)) is not None
    ]
    if not sales:
        return Admission()
    key, holder = _digest(key), _digest(holder)
    offered = {sale_id: ticket for ticket in tickets if (sale_id := _sale_of(ticket)) is not None}
    admission = Admission(key=key, holder=holder)
    for sale in sorted(sales, key=lambda sale: sale.sale_id):
        pace = _pace(sale, now=now)
        ask = partial(
            gate.enter,
            pace,
            key=key,
            holder=holder,
            ticket=offered.get(sale.sale_id, ""),
            new_ticket=_new_ticket(sale.sale_id),
        )
        word = _asked(ask, sale, now=now)
        match word.state:
            case "pass":
                metrics.flash_sale_gate.labels("admitted").inc()
                admission = Admission(
                    key=key, holder=holder, passed=(*admission.passed, (pace, word.ticket))
                )
            case "open":
                metrics.flash_sale_gate.labels("open").inc()
            case "sold_out":
                metrics.flash_sale_gate.labels("refused").inc()
                leave_sales(admission=admission, came_to_nothing=True, gives_tickets_back=True)
                raise OutOfStock(
                    "The flash sale has sold out.",
                    lines=[
                        {
                            "variant_id": sale.variant_id,
                            "sku": sale.sku,
                            "requested": units[sale.variant_id],
                            "available": 0,
                        }
                    ],
                )
            case _:
                metrics.flash_sale_gate.labels("waiting").inc()
                leave_sales(admission=admission, came_to_nothing=True, gives_tickets_back=True)
                return Admission(ticket=_ticket_of(word, now=now))
    return admission


def leave_sales(
    *, admission: Admission, came_to_nothing: bool, gives_tickets_back: bool = False
) -> None:
    """Make room for others. With `came_to_nothing`, the request's key is a stranger again.

    Safe to repeat. A request that was killed makes room by itself after half a minute.
    """
    for pace, ticket in admission.passed:
        try:
            gate.leave(
                pace,
                key=admission.key,
                forgets=came_to_nothing,
                holder=admission.holder,
                gives_back=ticket if gives_tickets_back else "",
            )
        except RedisError as error:
            log.warning("gate_not_left", error=type(error).__name__)


def issue_ticket(*, slug: str, holder: str, now: datetime) -> Ticket:
    """Give a place in the line of a flash sale, or the place that the holder has already.

    Before the sale nobody is admitted. An empty `holder` gets a new place each time. While Valkey
    is away, everyone is admitted.

    Raises FlashSaleNotFound, FlashSaleOver, and OutOfStock when it has sold out.
    """
    sale = next((sale for sale in sale_board().sales if sale.slug == slug), None)
    if sale is None:
        flash_sale_of(slug)
        raise FlashSaleOver("It is over.")
    if sale.ends_at <= now.timestamp():
        raise FlashSaleOver("It is over.")
    new_ticket = _new_ticket(sale.sale_id)
    ask = partial(
        gate.queue_up,
        _pace(sale, now=now),
        holder=_digest(holder) if holder else "",
        new_ticket=new_ticket,
    )
    word = _asked(ask, sale, now=now)
    if word.state == "sold_out":
        metrics.flash_sale_gate.labels("refused").inc()
        raise OutOfStock(
            "The flash sale has sold out.",
            lines=[
                {
                    "variant_id": sale.variant_id,
                    "sku": sale.sku,
                    "requested": 1,
                    "available": 0,
                }
            ],
        )
    if word.state == "open":
        return _open_ticket(new_ticket, now=now)
    metrics.flash_sale_gate.labels("waiting").inc()
    return _ticket_of(word, now=now)


def ticket_state(*, ticket: str, now: datetime) -> Ticket:
    """Return how a ticket stands, and note that its holder still waits. No SQL.

    Raises TicketNotFound for a ticket that is none of ours.
    """
    sale_id = _sale_of(ticket)
    if sale_id is None:
        raise TicketNotFound("There is no such ticket.")
    sale = sale_board().sale(sale_id)
    if sale is None or sale.ends_at <= now.timestamp():
        return Ticket(id=ticket, state="gone", why="ended")
    try:
        word = gate.poll(_pace(sale, now=now), ticket=ticket)
    except RedisError as error:
        log.warning("gate_open", error=type(error).__name__)
        return _open_ticket(ticket, now=now)
    if word.state == "sold_out":
        return Ticket(id=ticket, state="gone", why="sold_out")
    if word.state == "gone":
        return Ticket(id=ticket, state="gone", why=word.why)
    return _ticket_of(word, now=now)


def tell_gate(*, sale_id: int, units_left: int, units_granted: int = 0) -> None:
    """Have the gate know what is left once the caller's transaction commits."""
    transaction.on_commit(partial(_tell, sale_id, units_left, units_granted))


def _tell(sale_id: int, units_left: int, units_granted: int) -> None:
    metrics.flash_sale_units_granted.inc(units_granted)
    try:
        gate.note_left(sale_id=sale_id, units=units_left)
    except RedisError as error:
        log.warning("gate_not_told", error=type(error).__name__)


def _asked(ask: Callable[..., Word], sale: SaleTerms, *, now: datetime) -> Word:
    """Return what the gate says, having told it what is left if it wanted to know."""
    try:
        word = ask()
        if word.state == "ask":
            left = units_left_in_sales([sale.sale_id], now=now).get(sale.sale_id, 0)
            word = ask(left=left)
    except RedisError as error:
        log.warning("gate_open", error=type(error).__name__)
        return Word("open")
    if word.state == "waiting":
        metrics.flash_sale_waiting.set(word.waiting)
    return word


def _pace(sale: SaleTerms, *, now: datetime) -> Pace:
    rest_ms = max(int((sale.ends_at - now.timestamp()) * 1000), 0)
    return Pace(
        sale_id=sale.sale_id,
        per_second=sale.admitted_per_second,
        at_once=sale.admitted_at_once,
        kept_ms=rest_ms + gate.KEPT_MS,
        opens_in_ms=max(int((sale.starts_at - now.timestamp()) * 1000), 0),
    )


def _ticket_of(word: Word, *, now: datetime) -> Ticket:
    if word.state == "admitted":
        good_until = now.astimezone(UTC) + timedelta(milliseconds=word.wait_ms)
        return Ticket(id=word.ticket, state="admitted", until=good_until)
    return Ticket(
        id=word.ticket,
        state="waiting",
        position=word.position,
        estimated_seconds=max(ceil(word.wait_ms / 1000), 1),
    )


def _open_ticket(ticket: str, *, now: datetime) -> Ticket:
    good_until = now.astimezone(UTC) + timedelta(milliseconds=gate.ADMITTED_MS)
    return Ticket(id=ticket, state="admitted", until=good_until)


def _digest(text: str) -> str:
    return keyed_digest("inventory.gate", text.encode())[:32]


def _new_ticket(sale_id: int) -> str:
    """Return a ticket that nobody can guess; it says which sale it is for, and that it is ours."""
    name = f"{sale_id}.{secrets.token_urlsafe(16)}"
    return f"{name}.{_signature(name)}"


def _sale_of(ticket: str) -> int | None:
    name, _, signature = ticket.rpartition(".")
    if not name or not hmac.compare_digest(signature.encode(), _signature(name).encode()):
        return None
    return int(name.partition(".")[0])


def _signature(name: str) -> str:
    return keyed_digest("inventory.ticket", name.encode())[:_SIGNATURE_LENGTH]
