"""What every service says when it cannot do what was asked."""


class Refused(ValueError):
    """A request that cannot be fulfilled; the message says why and, where it helps, what to do instead.

    ``code`` is the word for machines, ``status`` the HTTP status that fits: 400 what was sent cannot be used, 403 not
    allowed, 409 not in this state, 413 too large, 415 of the wrong type, 422 not to be understood, 429 too often,
    503 not possible here at present.
    """

    code = "refused"
    status = 409

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.status = status or self.status
