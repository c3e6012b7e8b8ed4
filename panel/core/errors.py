"""The errors that cross rooms."""


class RuleViolation(Exception):
    """What was asked is not allowed; `sentence` may be read by a customer, `rule` names the clause."""

    def __init__(self, sentence: str, *, rule: str = "", field: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.rule = rule
        self.field = field


class ProviderError(Exception):
    """An outside call failed. `permanent` ones are not tried again; the text is for staff only."""

    def __init__(self, message: str, *, permanent: bool = False, code: str = "") -> None:
        super().__init__(message)
        self.permanent = permanent
        self.code = code


class NotYet(Exception):
    """The outside world is still busy: look again in `seconds`, without counting an attempt."""

    def __init__(self, seconds: int, message: str = "") -> None:
        super().__init__(message or f"look again in {seconds} s")
        self.seconds = seconds
