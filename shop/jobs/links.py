"""Links to results: good for some minutes, and for the owner alone."""

from django.core.signing import BadSignature, TimestampSigner
from rest_framework.request import Request
from rest_framework.reverse import reverse

from shop.jobs.errors import ResultLinkExpired
from shop.jobs.kinds import KINDS
from shop.jobs.models import Job

_signer = TimestampSigner(salt="shop.jobs.result")


def result_address(job: Job, *, request: Request) -> str:
    """Return where the owner can fetch the result while the link is good (`Kind.link_seconds`)."""
    token = _signer.sign(_subject(job)).rpartition(f"{_subject(job)}:")[2]
    return f"{reverse('job-result', args=[job.public_id], request=request)}?token={token}"


def require_fresh(job: Job, *, token: str) -> None:
    """Raise ResultLinkExpired unless the token was made for this job, its owner, and lately."""
    try:
        _signer.unsign(f"{_subject(job)}:{token}", max_age=KINDS[job.kind].link_seconds)
    except BadSignature:
        raise ResultLinkExpired("Ask for the job again: its `result.url` is new.") from None


def _subject(job: Job) -> str:
    return f"{job.public_id}/{job.owner_id}"
