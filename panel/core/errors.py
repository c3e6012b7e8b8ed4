"""The errors that cross rooms."""

from enum import StrEnum


class RuleViolation(Exception):
    """What was asked is not allowed; `sentence` may be read by a customer, `rule` names the clause."""

    def __init__(self, sentence: str, *, rule: str = "", field: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.rule = rule
        self.field = field


class Failure(StrEnum):
    """What an outside call that failed asks of whoever made it."""

    RETRY = "error"
    WAIT = "wait"
    UNKNOWN = "unknown"
    PERMANENT = "permanent"


class ProviderError(Exception):
    """An outside call failed; the text is for staff only.

    `permanent` ones are not tried again. `wait`: the other side asked to be left alone for so many seconds. `unknown`:
    it may have done what it was asked, so that whoever asks again looks first.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, code: str = "", wait: int = 0, unknown: bool = False
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.code = code
        self.wait = wait
        self.unknown = unknown

    @property
    def kind(self) -> Failure:
        """The one word for it; what is lasting is that above all."""
        if self.permanent:
            return Failure.PERMANENT
        if self.unknown:
            return Failure.UNKNOWN
        return Failure.WAIT if self.wait else Failure.RETRY


class NotYet(Exception):
    """The outside world is still busy: look again in `seconds`, without counting an attempt."""

    def __init__(self, seconds: int, message: str = "") -> None:
        super().__init__(message or f"look again in {seconds} s")
        self.seconds = seconds
