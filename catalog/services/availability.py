"""What shoppers are told about stock. Inventory decides it and calls here."""

from collections.abc import Mapping
from dataclasses import dataclass

CAP = 10  # units; the public is not told of more


@dataclass(frozen=True, slots=True)
class Availability:
    """A state of `catalog.models.AvailabilityState` and the units to be had."""

    state: str
    quantity: int


def record_availability(*, levels: Mapping[int, Availability]) -> None:
    """Write down what shoppers may expect of these variants, by variant id.

    Joins the caller's transaction. Only what differs is written; unknown variants are passed over.
    """
    raise NotImplementedError
