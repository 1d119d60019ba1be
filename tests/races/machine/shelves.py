"""What inventory promises, said in plain Python: shelves, and what is held of them for whom."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

Lines = Mapping[int, int]  # units by variant


@dataclass(slots=True)
class Shelf:
    """One variant in one warehouse."""

    stock_id: int
    variant_id: int
    warehouse: str
    priority: int
    on_hand: int
    limit: int  # units that may be promised beyond what is on hand


@dataclass(slots=True)
class Hold:
    reference: str
    shelf: Shelf
    units: int
    expires_at: datetime
    state: str = "HELD"  # COMMITTED, RELEASED, OWED

    @property
    def is_open(self) -> bool:
        return self.state in {"HELD", "OWED"}


@dataclass(slots=True)
class Shelves:
    """All of them, in the order of their ids, and every hold there ever was, oldest first."""

    shelves: list[Shelf]
    holds: list[Hold] = field(default_factory=list)

    def reserved(self, shelf: Shelf) -> int:
        return sum(hold.units for hold in self.holds if hold.shelf is shelf and hold.is_open)

    def is_short(self, wanted: Lines, now: datetime) -> bool:
        """Whether not even holds past their end would help."""
        return any(
            self._available(variant_id) + sum(h.units for h in self._over(variant_id, now)) < units
            for variant_id, units in wanted.items()
        )

    def reserve(self, reference: str, wanted: Lines, *, until: datetime, now: datetime) -> bool:
        """Hold all of it, or nothing; holds past their end make room, oldest first."""
        if self._allocated(wanted) is None:
            ending: list[Hold] = []
            for variant_id, units in wanted.items():
                missing = units - self._available(variant_id)
                for hold in self._over(variant_id, now):
                    if missing > 0:
                        ending.append(hold)
                        missing -= hold.units
                if missing > 0:
                    return False
            for hold in ending:
                hold.state = "RELEASED"
        taken = self._allocated(wanted)
        if taken is None:
            return False
        self.holds += [Hold(reference, shelf, units, until) for shelf, units in taken]
        return True

    def extend(self, reference: str, *, until: datetime) -> None:
        """Keep what is held until then."""
        for hold in self.held_for(reference):
            hold.expires_at = until

    def commit(self, reference: str) -> bool:
        """Let what is held leave, or be owed; False, and nothing, if a part was released."""
        mine = self.held_for(reference)
        if any(hold.state == "RELEASED" for hold in mine):
            return False
        for hold in mine:
            if hold.state == "HELD":
                hold.state = "OWED"
                self._fill(hold.shelf)
        return True

    def release(self, reference: str) -> None:
        for hold in self.held_for(reference):
            if hold.state == "HELD":
                hold.state = "RELEASED"

    def take_back(self, references: Collection[str], lines: Lines) -> None:
        """Put what was sold back where it was taken from; the rest into the first warehouse.

        What is owed has not left, and is owed no more.
        """
        missing = dict(lines)
        back: dict[int, int] = {}
        mine = [hold for hold in self.holds if hold.reference in references]
        for hold in mine:
            if hold.state == "OWED":
                hold.state = "RELEASED"
                missing[hold.shelf.variant_id] -= hold.units
                self._fill(hold.shelf)
        for hold in sorted(mine, key=lambda hold: hold.shelf.stock_id):
            part = min(missing[hold.shelf.variant_id], hold.units)
            if hold.state != "RELEASED" and part:
                back[hold.shelf.stock_id] = back.get(hold.shelf.stock_id, 0) + part
                missing[hold.shelf.variant_id] -= part
        for variant_id, units in missing.items():
            first = min(self._of(variant_id), key=lambda shelf: shelf.priority)
            back[first.stock_id] = back.get(first.stock_id, 0) + units
        for shelf in self.shelves:
            self.put(shelf, back.get(shelf.stock_id, 0))

    def put(self, shelf: Shelf, units: int) -> None:
        """Change what is on hand; what comes in fills what is owed, oldest first."""
        shelf.on_hand += units
        if units > 0:
            self._fill(shelf)

    def _fill(self, shelf: Shelf) -> None:
        for hold in self.holds:
            if hold.shelf is shelf and hold.state == "OWED":
                if hold.units > shelf.on_hand:
                    break
                shelf.on_hand -= hold.units
                hold.state = "COMMITTED"

    def may_be(self, shelf: Shelf, on_hand: int) -> bool:
        """Whether so few may be on hand, given what is promised."""
        return on_hand >= max(0, self.reserved(shelf) - shelf.limit)

    def may_travel(self, shelf: Shelf, units: int) -> bool:
        return shelf.on_hand - self.reserved(shelf) >= units

    def held_for(self, reference: str) -> list[Hold]:
        return [hold for hold in self.holds if hold.reference == reference]

    def _of(self, variant_id: int) -> list[Shelf]:
        return [shelf for shelf in self.shelves if shelf.variant_id == variant_id]

    def _free(self, shelf: Shelf) -> int:
        return shelf.on_hand + shelf.limit - self.reserved(shelf)

    def _available(self, variant_id: int) -> int:
        return sum(self._free(shelf) for shelf in self._of(variant_id))

    def _over(self, variant_id: int, now: datetime) -> list[Hold]:
        ended = [
            hold
            for hold in self.holds
            if hold.shelf.variant_id == variant_id
            and hold.state == "HELD"
            and hold.expires_at <= now
        ]
        return sorted(ended, key=lambda hold: hold.expires_at)

    def _allocated(self, wanted: Lines) -> list[tuple[Shelf, int]] | None:
        taken: list[tuple[Shelf, int]] = []
        for variant_id, units in sorted(wanted.items()):
            here = {
                shelf.stock_id: max(shelf.on_hand - self.reserved(shelf), 0)
                for shelf in self._of(variant_id)
            }
            fullest = sorted(
                self._of(variant_id),
                key=lambda shelf: (-here[shelf.stock_id], shelf.priority, shelf.stock_id),
            )
            parts: dict[int, int] = {}
            missing = units
            for shelf in fullest:  # what is here goes before what has yet to come
                part = min(missing, here[shelf.stock_id])
                if part:
                    parts[shelf.stock_id] = part
                    missing -= part
            for shelf in fullest:
                had = parts.get(shelf.stock_id, 0)
                part = min(missing, self._free(shelf) - had)
                if part:
                    parts[shelf.stock_id] = had + part
                    missing -= part
            if missing:
                return None
            by_id = {shelf.stock_id: shelf for shelf in fullest}
            taken += [(by_id[stock_id], part) for stock_id, part in parts.items()]
        return taken
