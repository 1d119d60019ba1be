"""What `make pins` sees, each in a lock, an installation and a table made up for it."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from shop.embedded.home import PROJECT
from tests.dependencies.gate import (
    REVIEW_DAYS,
    Holes,
    faults_of_installed,
    faults_of_locks,
    open_holes,
    read_holes,
    read_lock,
)

HASH = "--hash=sha256:" + "0" * 64


def lock(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "some.lock"
    path.write_text("# made by\n" + "\n".join(lines) + "\n")
    return path


def pinned(name: str, version: str, *, marker: str = "", hashed: bool = True) -> str:
    ending = f" \\\n    {HASH} \\\n    {HASH}\n    # via shop" if hashed else ""
    return f"{name}=={version}{f' ; {marker}' if marker else ''}{ending}"


def install(site: Path, name: str, version: str) -> Path:
    """Put a package of one file there, as pip does, and return the file."""
    module, folder = site / f"{name}.py", site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    module.write_bytes(b"sound = True\n")
    digest = hashlib.sha256(module.read_bytes()).digest()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "RECORD").write_text(
        f"{name}.py,sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()},13\n"
        f"{folder.name}/METADATA,,\n{folder.name}/RECORD,,\n"
    )
    return module


def found(site: Path) -> Sequence[Distribution]:
    return list(distributions(path=[str(site)]))


def test_what_is_installed_as_pinned_is_no_fault(tmp_path: Path) -> None:
    install(tmp_path, "mug", "1.2.0")
    install(tmp_path, "pip", "23.0")
    pins = read_lock(
        lock(tmp_path, pinned("Mug", "1.2"), pinned("cup", "3", marker="sys_platform == 'win32'"))
    )

    assert pins["mug"].hashes == 2
    assert faults_of_installed(pins, found(tmp_path)) == []


def test_another_version_a_missing_and_a_foreign_package_are_named(tmp_path: Path) -> None:
    install(tmp_path, "mug", "1.3")
    install(tmp_path, "saucer", "9")
    pins = read_lock(lock(tmp_path, pinned("mug", "1.2"), pinned("cup", "3")))

    assert faults_of_installed(pins, found(tmp_path)) == [
        "cup 3: not installed",
        "mug: 1.3 installed, 1.2 pinned",
        "saucer 9: installed, and in no lock",
    ]


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_changed_since_is_named(tmp_path: Path, is_gone: bool) -> None:
    module = install(tmp_path, "mug", "1.2")
    pins = read_lock(lock(tmp_path, pinned("mug", "1.2")))
    if is_gone:
        module.unlink()
    else:
        module.write_bytes(b"sound = None\n")  # as long as before

    assert faults_of_installed(pins, found(tmp_path)) == ["mug: mug.py is not as it was installed"]


def test_a_pin_without_hash_and_one_that_is_not_tested_are_named(tmp_path: Path) -> None:
    run = read_lock(lock(tmp_path, pinned("mug", "1.2", hashed=False), pinned("cup", "3")))
    develop = read_lock(lock(tmp_path, pinned("mug", "1.3")))

    assert faults_of_locks(run=run, develop=develop) == [
        "mug 1.2: no hash in a lock",
        "mug: 1.2 runs, 1.3 is tested",
        "cup: 3 runs, and is not tested",
    ]


@pytest.mark.parametrize("line", ["mug>=1.2", "mug==1.*,>1", "mug"])
def test_what_is_no_exact_pin_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match="not a pin"):
        read_lock(lock(tmp_path, f"{line} {HASH}"))


@pytest.mark.parametrize(
    ("version", "is_open"),
    [
        ("5.1.9", True),
        ("5.2.17", True),
        ("5.2.18", False),
        ("5.2.19", False),
        ("6.0.1", True),  # newer than 5.2.18, and has not got the mend
        ("6.0.9", False),
        ("6.1.0", False),
    ],
)
def test_a_pin_below_the_mend_of_its_series_is_a_hole(
    tmp_path: Path, version: str, is_open: bool
) -> None:
    table = tmp_path / "holes.toml"
    table.write_text(
        'reviewed = 2026-11-26\n[[hole]]\npackage = "Mug"\nfixed = ["5.2.18", "6.0.9"]\n'
        'id = ["CVE-2000-0001"]\n[[hole]]\npackage = "absent"\nfixed = ["9"]\nid = ["CVE-2000-2"]\n'
    )
    pins = read_lock(lock(tmp_path, pinned("mug", version)))

    told = open_holes(read_holes(table), pins)

    expected = [f"mug {version}: CVE-2000-0001, closed in 5.2.18, 6.0.9"]
    assert told == (expected if is_open else [])


def test_a_table_is_old_after_some_days() -> None:
    holes = Holes(reviewed=date(2026, 11, 26), known=())
    last = holes.reviewed + timedelta(days=REVIEW_DAYS)

    assert not holes.is_old(last)
    assert holes.is_old(last + timedelta(days=1))


def test_our_table_speaks_of_what_we_pin_and_our_locks_are_sound() -> None:
    holes = read_holes(PROJECT / "requirements-holes.toml")
    run = read_lock(PROJECT / "requirements.lock")
    develop = read_lock(PROJECT / "requirements-dev.lock")

    assert {hole.package for hole in holes.known} - develop.keys() == set()
    assert all(hole.fixed and hole.ids for hole in holes.known)
    assert faults_of_locks(run=run, develop=develop) == []
    assert open_holes(holes, develop) == []
