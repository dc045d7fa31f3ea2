"""One value for everything between the files and the words' ids."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import FirthError, Preparation, Skipgram, UsageError
from firth.families.family import completed

CHOICES = {
    "encoding_errors": ("strict", "replace", "skip"),
    "layout": ("auto", "lines", "wrapped", "file"),
    "sentences": ("auto", "lines", "split"),
    "segment": ("auto", "words", "space", "chinese", "characters"),
    "unicode_form": ("NFC", "NFKC"),
    "digits": ("keep", "zero"),
    "drop_duplicates": ("no", "lines", "documents"),
}

preparations = st.builds(
    Preparation,
    field=st.none() | st.text(max_size=5),
    keep=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16"]),
    cased=st.none() | st.booleans(),
    punctuation=st.none() | st.booleans(),
    simplified=st.booleans(),
    inner=st.sampled_from(["", "'", "'-"]),
    user_words=st.none() | st.just(Path("words.txt")),
    phrases=st.none() | st.just(Path("phrases.tsv")),
    max_types=st.integers(2, 10**9),
    **{name: st.sampled_from(choices) for name, choices in CHOICES.items()},
)


@given(preparations)
def test_settings_survive_json(preparation):
    assert Preparation.from_settings(json.loads(json.dumps(preparation.settings()))) == preparation


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_that_is_none_names_those_there_are(name):
    with pytest.raises(UsageError, match=f"{name} is 'other'.*{CHOICES[name][-1]}"):
        Preparation(**{name: "other"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"encoding": "utf-9"}, "no encoding is called 'utf-9'"),
        ({"encoding": "rot13"}, "no encoding is called"),
        ({"encoding": "a\0b"}, "no encoding is called"),
        ({"keep_from_name": "(?P<year>"}, "no regular expression"),
        ({"keep_from_name": "[0-9]{4}"}, r"\(\?P<year>"),
        ({"keep_from_name": "(?P<year>[0-9]+)", "keep": ("year",)}, "year is kept twice"),
        ({"max_types": 1}, "max_types is 1"),
        ({"inner": "'e"}, "need not be named"),
        ({"inner": "' "}, "need not be named"),
        ({"keep": "year"}, "a tuple of names"),
        ({"keep": (1,)}, "a tuple of names"),
        ({"max_types": "5"}, "a whole number"),
        ({"cased": "yes"}, "True, False or None"),
        ({"punctuation": 1}, "True, False or None"),
        ({"simplified": None}, "True or False"),
    ],
)
def test_what_lies_outside_a_range_is_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        Preparation(**settings)


@pytest.mark.parametrize("settings", [{}, {"keep": [], "newer": 1}, {"keep": [], "layout": "newer"}])
def test_settings_of_a_newer_version_are_named(settings):
    with pytest.raises(FirthError, match="a newer firth"):
        Preparation.from_settings(settings)


def test_lists_and_strings_become_what_they_mean():
    preparation = Preparation(keep=["year"], user_words="words.txt", phrases="phrases.tsv")
    assert preparation == Preparation(keep=("year",), user_words=Path("words.txt"), phrases=Path("phrases.tsv"))
    assert hash(preparation) == hash(replace(preparation))


def test_what_is_left_open_is_as_the_family_has_it():
    asked = Preparation(digits="zero")
    pytest.importorskip("torch")
    from firth import ELMo

    assert completed(asked, ELMo()) == Preparation(digits="zero", cased=True, punctuation=True)
    assert completed(asked, Skipgram()) == Preparation(digits="zero", cased=False, punctuation=False)
    told = Preparation(cased=False)
    assert completed(told, ELMo()) == Preparation(cased=False, punctuation=True)


def test_settings_of_an_older_version_have_no_phrases():
    settings = Preparation(user_words="words.txt").settings()
    del settings["phrases"]
    assert Preparation.from_settings(settings) == Preparation(user_words="words.txt")
