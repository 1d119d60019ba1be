"""What shoppers are told about stock, kept in step with the counters."""

from collections.abc import Collection


def announce_availability(*, variant_ids: Collection[int]) -> None:
    """Have the catalogue told of these variants once the transaction commits, in one message."""
    raise NotImplementedError


def record_availability(*, variant_ids: Collection[int]) -> None:
    """Write what shoppers are told of these variants to the catalogue, from fresh numbers.

    Safe to repeat and to run out of order: it writes what is true when it runs.
    """
    raise NotImplementedError
