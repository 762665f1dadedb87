"""The errors evalkit raises: what is wrong, where, and the mend, in one sentence each."""

from collections.abc import Iterable


class EvalkitError(Exception):
    """One or more problems a person can mend; each is one sentence.

    Attributes
    ----------
    problems : every problem found, in the order in which the input has them
    """

    def __init__(self, *problems: str) -> None:
        self.problems: tuple[str, ...] = problems
        super().__init__("\n".join(problems))

    def __reduce__(self) -> tuple[type["EvalkitError"], tuple[str, ...]]:
        """Survive the way back from a worker process."""
        return type(self), self.problems


class ParameterError(EvalkitError):
    """A parameter file, the data dictionary or a notebook parameter is wrong."""


class DataError(EvalkitError):
    """A data file or an indicator table is wrong."""


class DesignError(EvalkitError):
    """A method cannot answer the question from these data; the message gives the reason."""


class RunError(EvalkitError):
    """A batch run could not start or could not go on."""


class PublishError(EvalkitError):
    """A page could not be made."""


def raise_together(kind: type[EvalkitError], problems: Iterable[str]) -> None:
    """Raise one error of this kind that carries every problem; do nothing where there is none."""
    found = tuple(problems)
    if found:
        raise kind(*found)
