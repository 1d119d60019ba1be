"""What the embedded run may refuse."""


class CannotRun(Exception):
    """The shop cannot run here; the message is the one line that its user is told."""
