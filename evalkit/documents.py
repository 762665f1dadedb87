"""YAML files read into frozen models; every problem is a sentence with file, line, key and mend."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from evalkit.errors import ParameterError

Location = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


class Declared(BaseModel):
    """Base of everything declared in a file: frozen, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Document:
    """A YAML file as plain values, with the line on which each value stands."""

    path: Path
    values: dict[str, Any]
    lines: Mapping[Location, int]
    texts: Mapping[Location, str]

    def where(self, location: Location) -> str:
        """Name file and line of a value, or of the nearest value around it."""
        while location not in self.lines and location:
            location = location[:-1]
        return f"{self.path.name}, line {self.lines.get(location, 1)}"

    def problem(self, location: Location, text: str) -> str:
        """Compose one sentence about the value at this location."""
        return f"{self.where(location)}: {text}"


def read_document(path: Path) -> Document:
    """Read one YAML 1.2 file whose top level is a mapping.

    Raises
    ------
    ParameterError : the file is absent, is not UTF-8, is not YAML, repeats a key, or holds no mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if not path.is_file():
        raise ParameterError(
            f"{path.name}: there is no such file in {path.parent.name}/; create it or correct its name"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"{path.name}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error
    try:
        loaded = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        reason = (error.problem or "cannot be read").splitlines()[0]
        raise ParameterError(
            f"{path.name}{line}: not valid YAML ({reason}); check indentation, colons and quotes"
        ) from error
    except YAMLError as error:
        raise ParameterError(f"{path.name}: not valid YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(loaded, dict):
        raise ParameterError(f"{path.name}, line 1: expected `key: value` lines, found {_kind(loaded)}")
    lines: dict[Location, int] = {(): 1}
    texts: dict[Location, str] = {}
    values = _plain(loaded, (), lines, texts, text.splitlines())
    return Document(path, values, lines, texts)


def build(model: type[ModelT], document: Document) -> ModelT:
    """Make the model from the document.

    Raises
    ------
    ParameterError : one sentence for every problem, in the order of the file.
    """
    try:
        return model.model_validate(document.values)
    except ValidationError as error:
        found = [
            (_line(document, _location(item)), _sentence(model, document, item)) for item in error.errors()
        ]
        unique = dict.fromkeys(sentence for _, sentence in sorted(found, key=lambda pair: pair[0]))
        raise ParameterError(*unique) from error


def suggestion(word: str, known: Iterable[str]) -> str:
    """Offer the nearest known word, or the list where it is short; "" where neither helps."""
    options = sorted(known)
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(options)}" if 0 < len(options) <= 12 else ""


def _plain(
    value: Any, location: Location, lines: dict[Location, int], texts: dict[Location, str], source: list[str]
) -> Any:
    marks: Any = getattr(value, "lc", None)
    if isinstance(value, dict):
        for key in value:
            row, column = marks.value(key)
            lines[(*location, key)] = marks.key(key)[0] + 1
            texts[(*location, key)] = _text_at(source, row, column)
        return {str(key): _plain(item, (*location, key), lines, texts, source) for key, item in value.items()}
    if isinstance(value, list):
        for index in range(len(value)):
            row, column = marks.item(index)
            lines[(*location, index)] = row + 1
            texts[(*location, index)] = _text_at(source, row, column)
        return [_plain(item, (*location, index), lines, texts, source) for index, item in enumerate(value)]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def _text_at(source: list[str], row: int, column: int) -> str:
    return source[row][column:].split(" #")[0].strip() if row < len(source) else ""


def _location(item: Mapping[str, Any]) -> Location:
    return tuple(item["loc"])


def _line(document: Document, location: Location) -> int:
    while location not in document.lines and location:
        location = location[:-1]
    return document.lines.get(location, 1)


def _sentence(model: type[BaseModel], document: Document, item: Mapping[str, Any]) -> str:
    location = _location(item)
    key = _name(location)
    value = document.texts.get(location, item.get("input"))
    match item["type"]:
        case "extra_forbidden":
            hint = suggestion(str(location[-1]), _fields_at(model, location[:-1]))
            return document.problem(
                location, f"unknown key {location[-1]!r}" + (f"; {hint}" if hint else "; remove it")
            )
        case "missing":
            return document.problem(location[:-1], f"`{key}` is missing; add it")
        case "string_type" if isinstance(item.get("input"), int | float):
            return document.problem(
                location, f"`{key}` is the number {value}; quote it to keep it as text, e.g. {key}: '{value}'"
            )
        case "string_type":
            return document.problem(location, f"`{key}` must be text, not {_kind(item.get('input'))}")
        case "literal_error":
            known = str(item["ctx"]["expected"])
            return document.problem(location, f"`{key}` is {value!r}; use one of {known}")
        case "value_error":
            return document.problem(location, f"`{key}`: {item['ctx']['error']}")
        case "tuple_type" | "list_type":
            return document.problem(
                location,
                f"`{key}` must be a list (lines that begin with `-`), not {_kind(item.get('input'))}",
            )
        case "model_type" | "dict_type" | "model_attributes_type":
            return document.problem(
                location, f"`{key}` must hold `key: value` lines, not {_kind(item.get('input'))}"
            )
        case _:
            return document.problem(
                location, f"`{key}` is {value!r}: {str(item['msg'])[:1].lower()}{str(item['msg'])[1:]}"
            )


def _name(location: Location) -> str:
    words = [part for part in location if isinstance(part, str)]
    return words[-1] if words else "the file"


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            return []
        current = _model_in(field.annotation)
    return list(getattr(current, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "`key: value` lines"
    if isinstance(value, list):
        return "a list"
    return f"the {'number' if isinstance(value, int | float) else 'text'} {str(value)[:40]!r}"
