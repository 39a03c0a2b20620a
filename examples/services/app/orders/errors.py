"""What can go wrong on purpose."""


class Unavailable(Exception):
    """Something that the app needs does not answer. Clients get 503 and may try again."""

    def __init__(self, part, reason):
        # One line: what libraries say may be many, and holds no secrets.
        self.part, self.reason = part, " ".join(str(reason).split())
        super().__init__(f"{part}: {self.reason}")


class Invalid(Exception):
    """The client asked for something that makes no sense. It gets 400 and the text."""
