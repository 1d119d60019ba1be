"""What jobs may refuse."""

from shop import errors


class JobRunning(errors.Conflict):
    """There is an open job that this one would be in the way of. Facts: `job`, its id."""

    code = "job_running"
    title = "Such a job is running already"
    retryable = True


class JobIsOver(errors.Conflict):
    """The job has ended, so nothing can be done about it any more."""

    code = "job_is_over"
    title = "The job has ended"


class NoTextFile(errors.Invalid):
    """The upload is no text: a spreadsheet or an archive, or it is empty."""

    code = "no_text_file"
    title = "The file is not text"


class ResultLinkExpired(errors.Forbidden):
    """The link to a result was good for some minutes: ask for the job again."""

    code = "result_link_expired"
    title = "The link has expired"
