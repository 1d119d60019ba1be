"""What is compared: the locks, what is installed, and the table of known holes."""

import base64
import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# What a new venv has before anything is installed: no lock names them.
OF_THE_VENV = frozenset({"pip", "setuptools"})
# After these many days somebody should look again. It only warns: no release waits for a calendar.
REVIEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock."""

    name: str
    version: Version
    applies: bool  # whether it is for a machine like this one
    hashes: int  # how many archives may be it


@dataclass(frozen=True, slots=True)
class Hole:
    """Something that is known to be open in older versions of a package."""

    package: str
    fixed: tuple[Version, ...]  # one for each series that got a mend
    ids: tuple[str, ...]

    def is_closed_in(self, version: Version) -> bool:
        """Tell whether a version has the mend of its series, or that of the newest one."""
        own = [fixed for fixed in self.fixed if fixed.release[:2] == version.release[:2]]
        return version >= max(own or self.fixed)


@dataclass(frozen=True, slots=True)
class Holes:
    """The table of known holes, and the day on which somebody last went through it."""

    reviewed: date
    known: tuple[Hole, ...]

    def is_old(self, today: date) -> bool:
        """Tell whether it should be gone through again."""
        return today - self.reviewed > timedelta(days=REVIEW_DAYS)


def read_lock(path: Path) -> dict[str, Pin]:
    """Return the pins of a lock, by name. Raises ValueError for what is no exact pin."""
    pins: dict[str, Pin] = {}
    for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        required, *hashes = re.split(r"\s+--hash=", text)
        requirement = Requirement(required)
        exact = re.fullmatch(r"==([^,*]+)", str(requirement.specifier))
        if exact is None:
            raise ValueError(f"{path.name}: not a pin: {required}")
        name = canonicalize_name(requirement.name)
        pins[name] = Pin(
            name=name,
            version=Version(exact[1]),
            applies=requirement.marker is None or requirement.marker.evaluate(),
            hashes=sum(found.startswith("sha256:") for found in hashes),
        )
    return pins


def read_holes(path: Path) -> Holes:
    """Return the table of known holes."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Holes(
        reviewed=table["reviewed"],
        known=tuple(
            Hole(
                package=canonicalize_name(row["package"]),
                fixed=tuple(map(Version, row["fixed"])),
                ids=tuple(row["id"]),
            )
            for row in table["hole"]
        ),
    )


def faults_of_locks(*, run: Mapping[str, Pin], develop: Mapping[str, Pin]) -> list[str]:
    """Say which pins pip could not check, and where what is tested is not what runs."""
    unhashed = [
        f"{pin.name} {pin.version}: no hash in a lock"
        for pin in dict.fromkeys([*run.values(), *develop.values()])
        if not pin.hashes
    ]
    other = [
        f"{name}: {pin.version} runs, "
        + (f"{develop[name].version} is tested" if name in develop else "and is not tested")
        for name, pin in run.items()
        if name not in develop or develop[name].version != pin.version
    ]
    return unhashed + other


def faults_of_installed(pins: Mapping[str, Pin], installed: Iterable[Distribution]) -> list[str]:
    """Say what is missing, another version, not in the lock, or not as it was installed.

    That an archive had the hash of its pin, pip saw when it installed it; the archive is gone
    since. What can still be seen is that each file is the one that it put there.
    """
    found = {canonicalize_name(one.name): one for one in installed}
    faults = [
        f"{pin.name} {pin.version}: not installed"
        for pin in pins.values()
        if pin.applies and pin.name not in found
    ]
    for name, one in sorted(found.items()):
        if name in pins:
            if Version(one.version) != pins[name].version:
                faults.append(f"{name}: {one.version} installed, {pins[name].version} pinned")
        elif name not in OF_THE_VENV:
            faults.append(f"{name} {one.version}: installed, and in no lock")
        faults += [f"{name}: {path} is not as it was installed" for path in _altered(one)]
    return faults


def _altered(one: Distribution) -> Sequence[str]:
    altered = []
    for file in one.files or ():
        # The list itself has no hash, nor has what Python compiles later.
        if file.hash is None:
            continue
        path = Path(str(file.locate()))
        digest = hashlib.new(file.hash.mode, path.read_bytes()).digest() if path.is_file() else b""
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            altered.append(str(file))
    return altered


def open_holes(holes: Holes, pins: Mapping[str, Pin]) -> list[str]:
    """Say which pins are older than the mend of a known hole."""
    return [
        f"{hole.package} {pins[hole.package].version}: {', '.join(hole.ids)}, "
        f"closed in {', '.join(map(str, hole.fixed))}"
        for hole in holes.known
        if hole.package in pins and not hole.is_closed_in(pins[hole.package].version)
    ]
