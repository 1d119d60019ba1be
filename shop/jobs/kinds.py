"""Which jobs there are: each kind by name, with the task that runs it and who may start it.

Apps are named as strings: the ground imports none of them. A test checks that each task is
registered and goes to the queue `bulk`, and that each permission exists.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    The task gets `job_id: int` and `turn: int`, at least once, and calls
    `shop.jobs.services.run_slice`. Whoever starts a job holds all of `permissions`. Of a kind that
    is `alone`, one job is open at a time: for each owner, or in the whole shop. `file` and `media`
    are of its result; a link to it is good for `link_seconds`, and it is kept for `keep_days`
    after the job's end (None: as long as any job, SHOP_JOB_KEEP_DAYS).
    """

    name: str
    title: str
    task: str
    permissions: tuple[str, ...]
    alone: Literal["", "owner", "shop"] = ""
    file: str = "products.csv"
    media: str = "text/csv; charset=utf-8"
    link_seconds: int = 15 * 60
    keep_days: int | None = None

    def exclusive_key(self, owner_id: int) -> str:
        """Return the key of which one open job exists at a time; "" if there may be any number."""
        if not self.alone:
            return ""
        return f"{self.name}:{owner_id}" if self.alone == "owner" else self.name


_PRODUCTS_IN = ("catalog.add_product", "catalog.change_product", "inventory.add_stockmovement")

IMPORTS = {
    "shopify_csv": Kind(
        "import_shopify_csv", "Import of a Shopify CSV", "inventory.run_import", _PRODUCTS_IN
    ),
    "native_csv": Kind(
        "import_native_csv", "Import of the shop's own CSV", "inventory.run_import", _PRODUCTS_IN
    ),
    "online_retail_csv": Kind(
        "import_online_retail_csv",
        "Replay of a wholesaler's invoices",
        "orders.run_history_import",
        ("orders.add_order", "orders.change_order", *_PRODUCTS_IN),
        alone="shop",
    ),
}
EXPORTS = {
    "native_csv": Kind(
        "export_native_csv",
        "Export as the shop's own CSV",
        "inventory.run_export",
        ("catalog.view_product", "inventory.view_stock"),
        alone="owner",
    ),
}
# Started at addresses of their own, by whoever the data is about.
PERSONAL_DATA = Kind(
    "export_personal_data",
    "Export of one's personal data",
    "orders.run_personal_export",
    (),
    alone="owner",
    file="personal-data.json",
    media="application/json",
    link_seconds=5 * 60,
    keep_days=2,
)
KINDS = {kind.name: kind for kind in (*IMPORTS.values(), *EXPORTS.values(), PERSONAL_DATA)}
