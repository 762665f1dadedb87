"""YAML files read into frozen models; every problem is a sentence with file, line, key and mend."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from evalkit.errors import ParameterError

Location = tuple[str | int, ...]

TAG = "tag:yaml.org,2002:"
ModelT = TypeVar("ModelT", bound=BaseModel)

# The core schema of YAML 1.2 (section 10.3.2): pattern, first letters, and how to read each kind of value.
SCALARS: Mapping[str, tuple[re.Pattern[str], list[str], Callable[[str], Any]]] = {
    "null": (re.compile(r"(~|null|Null|NULL|)\Z"), ["~", "n", "N", ""], lambda text: None),
    "bool": (re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"), lambda text: text[0] in "tT"),
    "int": (
        re.compile(r"([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
        list("-+0123456789"),
        lambda text: int(text, 0 if text[:2] in ("0o", "0x") else 10),
    ),
    "float": (
        re.compile(
            r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
        ),
        list("-+.0123456789"),
        lambda text: float(text.replace(".", "") if text[-1] in "fFnN" else text),
    ),
}


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
    import yaml

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
        root = yaml.compose(text, Loader=_loader())
        lines: dict[Location, int] = {(): 1}
        texts: dict[Location, str] = {}
        values = _plain(root, (), lines, texts, text.splitlines()) if root is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {min(mark.line + 1, len(text.splitlines()))}" if mark else ""
        reason = (error.problem or "cannot be read").splitlines()[0]
        raise ParameterError(
            f"{path.name}{line}: not valid YAML ({reason}); check indentation, colons and quotes"
        ) from error
    except yaml.YAMLError as error:
        raise ParameterError(f"{path.name}: not valid YAML ({str(error).splitlines()[0]})") from error
    except RecursionError:
        raise ParameterError(f"{path.name}: a value contains itself (`&` and `*`); write it out") from None
    if not isinstance(values, dict):
        raise ParameterError(f"{path.name}, line 1: expected `key: value` lines, found {_kind(values)}")
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


@cache
def _loader() -> Any:
    """Return a reader that tells numbers and truth from text as YAML 1.2 does: `no` is text, 010 is ten."""
    import yaml

    base: Any = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
    loader: Any = type("Loader", (base,), {})
    for tag, (pattern, first, _) in SCALARS.items():
        loader.add_implicit_resolver(TAG + tag, pattern, first)
    return loader


def _plain(
    node: Any, location: Location, lines: dict[Location, int], texts: dict[Location, str], source: list[str]
) -> Any:
    """Turn a node into plain values, and note where each stands."""
    import yaml

    kind = node.tag.removeprefix(TAG)
    if kind not in {"map", "seq", "str", *SCALARS}:
        raise yaml.MarkedYAMLError(problem=f"unknown tag {node.tag}", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        values = {}
        for name, item in node.value:
            key = str(name.value) if isinstance(name, yaml.ScalarNode) else ""
            if not key or key in values:
                problem = f"the key {key!r} stands twice" if key else "a key must be one word"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=name.start_mark)
            inner = (*location, key)
            lines[inner] = name.start_mark.line + 1
            texts[inner] = _text_at(source, item.start_mark.line, item.start_mark.column)
            values[key] = _plain(item, inner, lines, texts, source)
        return values
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            inner = (*location, index)
            lines[inner] = item.start_mark.line + 1
            texts[inner] = _text_at(source, item.start_mark.line, item.start_mark.column)
            items.append(_plain(item, inner, lines, texts, source))
        return items
    return SCALARS[kind][2](node.value) if kind in SCALARS else node.value


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
