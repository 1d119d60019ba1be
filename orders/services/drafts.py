"""What a caller of these services says of an order: priced already, and of one moment."""

from dataclasses import dataclass, field

from accounts.models import User
from orders.models import Channel, LineKind, Order, OrderEvent, OrderLine, Payment


@dataclass(frozen=True, slots=True)
class Postal:
    """A postal address as somebody wrote it. `phone` is E.164 or empty."""

    name: str
    line1: str
    city: str
    country: str  # ISO 3166-1 alpha-2
    postal_code: str = ""
    company: str = ""
    line2: str = ""
    region: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line to be sold at this price. Without a variant it is a fee, which takes no stock.

    `total_minor` is after `discount_minor`, contains `tax_minor`, and is taken as it stands.
    """

    variant_id: int | None
    sku: str
    title: str
    quantity: int
    unit_price_minor: int
    total_minor: int
    discount_minor: int = 0
    variant_title: str = ""
    options: dict[str, str] = field(default_factory=dict)
    image: str = ""
    tax_class: str = ""
    tax_rate_bps: int = 0
    tax_minor: int = 0
    kind: LineKind = LineKind.GOODS
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """An order to be placed: whose it is, where it goes, what is in it, and what it costs."""

    currency: str
    country: str
    lines: tuple[DraftLine, ...]
    customer: User | None = None
    email: str = ""  # of a guest
    channel: Channel = Channel.WEB
    external_ref: str | None = None
    shipping_method: str = ""
    shipping_method_name: str = ""
    shipping_minor: int = 0
    shipping_tax_rate_bps: int = 0
    shipping_tax_minor: int = 0
    shipping_address: Postal | None = None
    billing_address: Postal | None = None
    cart_id: str = ""
    cart_version: int | None = None

    @property
    def discount_minor(self) -> int:
        return sum(line.discount_minor for line in self.lines)

    @property
    def subtotal_minor(self) -> int:
        return sum(line.total_minor + line.discount_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        return sum(line.tax_minor for line in self.lines) + self.shipping_tax_minor

    @property
    def total_minor(self) -> int:
        return self.subtotal_minor - self.discount_minor + self.shipping_minor


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order, its lines, what happened to it so far, and the attempt to pay for it.

    `is_new`: placed by this call, and not by an earlier one.
    """

    order: Order
    lines: list[OrderLine]
    payment: Payment
    events: list[OrderEvent]
    is_new: bool
