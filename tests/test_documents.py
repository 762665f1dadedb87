"""YAML that is wrong gets one sentence with file, line, key and the mend."""

import pytest

from evalkit.documents import Declared, build, read_document, suggestion
from evalkit.errors import ParameterError


class Person(Declared):
    name: str
    age: int


class Register(Declared):
    register_id: str
    people: tuple[Person, ...] = ()


def write(tmp_path, text):
    path = tmp_path / "register.yml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path, text):
    with pytest.raises(ParameterError) as caught:
        build(Register, read_document(write(tmp_path, text)))
    return caught.value.problems


def test_a_good_file_becomes_a_frozen_model(tmp_path):
    made = build(
        Register, read_document(write(tmp_path, "register_id: '06037'\npeople:\n- {name: Ada, age: 3}\n"))
    )
    assert made.register_id == "06037"
    assert made.people == (Person(name="Ada", age=3),)
    with pytest.raises(Exception, match="frozen"):
        made.register_id = "1"


def test_a_number_where_an_id_should_be_text_keeps_its_zeros_in_the_message(tmp_path):
    (problem,) = problems(tmp_path, "# a register\nregister_id: 06037\n")
    assert problem == (
        "register.yml, line 2: `register_id` is the number 06037; "
        "quote it to keep it as text, e.g. register_id: '06037'"
    )


def test_an_unknown_key_is_answered_with_the_nearest_known_one(tmp_path):
    (problem,) = problems(
        tmp_path, "register_id: a\npeople:\n- name: Ada\n  age: 3\n- nmae: Bo\n  name: Bo\n  age: 4\n"
    )
    assert problem == "register.yml, line 5: unknown key 'nmae'; did you mean 'name'?"


def test_every_problem_is_told_at_once_in_the_order_of_the_file(tmp_path):
    found = problems(tmp_path, "people:\n- name: Ada\n- name: 7\n  age: old\nextra: 1\n")
    assert [problem.split(":")[0] for problem in found] == [
        "register.yml, line 1",
        "register.yml, line 2",
        "register.yml, line 3",
        "register.yml, line 4",
        "register.yml, line 5",
    ]
    assert "`register_id` is missing" in found[0]
    assert "`age` is missing" in found[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("people: [1, 2", "line 1: not valid YAML"),
        ("a: 1\na: 2\n", "line 2: not valid YAML"),
        ("- a\n- b\n", "line 1: expected `key: value` lines, found a list"),
        ("", "line 1: expected `key: value` lines, found nothing"),
        ("a: b: c\n", "line 1: not valid YAML"),
        ("a: {b: 1, b: 2}\n", "line 1: not valid YAML (the key 'b' stands twice)"),
        ("[a, b]: 1\n", "a key must be one word"),
        ("a: !!python/object:os.system {}\n", "unknown tag tag:yaml.org,2002:python/object:os.system"),
        ("a: !secret x\n", "unknown tag !secret"),
    ],
)
def test_yaml_that_is_not_what_it_should_be_names_the_line(tmp_path, text, words):
    with pytest.raises(ParameterError) as caught:
        read_document(write(tmp_path, text))
    assert words in str(caught.value)


def test_a_missing_file_and_a_file_in_another_encoding_are_told(tmp_path):
    with pytest.raises(ParameterError, match="there is no such file"):
        read_document(tmp_path / "absent.yml")
    path = tmp_path / "latin.yml"
    path.write_bytes("name: Peña".encode("latin-1"))
    with pytest.raises(ParameterError, match="not UTF-8"):
        read_document(path)


def test_a_suggestion_is_the_nearest_word_or_a_short_list():
    assert suggestion("gradution_rate", ["graduation_rate", "mobility"]) == "did you mean 'graduation_rate'?"
    assert suggestion("xyz", ["b", "a"]) == "known: a, b"
    assert suggestion("xyz", [str(number) for number in range(20)]) == ""


def test_words_and_numbers_are_those_of_yaml_1_2(tmp_path):
    text = (
        "country: no\nswitch: on\ndate: 2026-09-30\nten: 010\neight: 0o10\nsixteen: 0x10\nhalf: .5\n"
        "thousand: 1e3\nendless: -.inf\nnothing: ~\nempty:\nquoted: '6037'\ntrue_: true\n"
    )
    assert read_document(write(tmp_path, text)).values == {
        "country": "no",
        "switch": "on",
        "date": "2026-09-30",
        "ten": 10,
        "eight": 8,
        "sixteen": 16,
        "half": 0.5,
        "thousand": 1000.0,
        "endless": float("-inf"),
        "nothing": None,
        "empty": None,
        "quoted": "6037",
        "true_": True,
    }


def test_what_is_named_once_may_be_used_again_but_not_inside_itself(tmp_path):
    again = read_document(write(tmp_path, "first: &rule {minimum: 10}\nsecond: *rule\n"))
    assert again.values["second"] == {"minimum": 10}
    with pytest.raises(ParameterError, match="contains itself"):
        read_document(write(tmp_path, "first: &rule [1, *rule]\n"))
