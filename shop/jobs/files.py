"""Files of jobs: kept in the private storage, which no web server shows."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePath
from typing import BinaryIO, cast

from django.core.files.base import ContentFile, File
from django.core.files.storage import storages

from shop.jobs.errors import NoTextFile
from shop.jobs.models import Job

_LOOKED_AT = 64 * 1024  # bytes
_CHUNK = 64 * 1024
# What spreadsheets and archives begin with: the commonest wrong uploads, named rather than read.
_NO_TEXT = {
    b"PK\x03\x04": "a spreadsheet (.xlsx, .ods) or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (.xls)",
    b"\x1f\x8b": "packed (gzip)",
    b"\xfd7zXZ": "packed (xz)",
    b"%PDF": "a PDF",
}


def refuse_other_than_text(upload: File[bytes]) -> None:
    """Look at the beginning of an upload. Raises NoTextFile for what cannot be a CSV."""
    upload.seek(0)
    head = upload.read(_LOOKED_AT)
    upload.seek(0)
    if not head.strip():
        raise NoTextFile("The file is empty.")
    for mark, what in _NO_TEXT.items():
        if head.startswith(mark):
            raise NoTextFile(f"The file is {what}: save it as “CSV UTF-8” and send that.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NoTextFile("The file is UTF-16 text: save it as “CSV UTF-8” and send that.")


def keep_input(job: Job, upload: File[bytes]) -> None:
    """Put the upload into the job's folder, and its name into the job (not saved)."""
    job.source_name = PurePath(upload.name or "").name[:255]
    job.input_name = storages["private"].save(f"{job.folder}/input.csv", upload)


def open_input(job: Job) -> BinaryIO:
    """Open what the job was given to read."""
    return cast(BinaryIO, storages["private"].open(job.input_name, "rb"))


def write_part(job: Job, *, number: int, content: bytes) -> None:
    """Write one part of the job's result. Safe to repeat: the part is replaced."""
    storage = storages["private"]
    name = _part(job, number)
    storage.delete(name)
    storage.save(name, ContentFile(content))


def read_parts(job: Job, *, count: int) -> Iterator[bytes]:
    """Yield the result, part after part, in pieces that fit into memory."""
    for number in range(1, count + 1):
        with storages["private"].open(_part(job, number), "rb") as part:
            while piece := part.read(_CHUNK):
                yield piece


def delete_files(folder: str) -> None:
    """Delete everything that is in this folder of the private storage. Safe to repeat."""
    storage = storages["private"]
    if not storage.exists(folder):
        return
    _, names = storage.listdir(folder)
    for name in names:
        storage.delete(f"{folder}/{name}")
    storage.delete(folder)


def folders(*, unchanged_since: datetime) -> list[str]:
    """Return the folders of jobs whose files have all been there since that moment."""
    storage = storages["private"]
    if not storage.exists("jobs"):
        return []
    found = []
    for name in storage.listdir("jobs")[0]:
        files = storage.listdir(f"jobs/{name}")[1]
        if all(
            storage.get_modified_time(f"jobs/{name}/{file}") < unchanged_since for file in files
        ):
            found.append(f"jobs/{name}")
    return found


def _part(job: Job, number: int) -> str:
    return f"{job.folder}/part-{number:06}.csv"
