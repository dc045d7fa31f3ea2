"""Which of the words someone means."""

import pytest

from firth.errors import UnknownWordError, UsageError
from firth.lexicon import Lexicon
from firth.phrases import Phrase, Phrases
from firth.segmentation import Segmentation
from firth.vocabulary import Vocabulary


def test_a_word_is_found_as_it_stands_then_normalised():
    lexicon = Lexicon(["king", "King", "queen"], Segmentation(method="words"), keeps_spelling=False)
    assert [lexicon.find(word) for word in ("king", "King", "QUEEN", "duke")] == [0, 1, 2, None]
    assert lexicon.found(["QUEEN", 3.0, "duke", "king"]) == [2, 0]
    assert "Queen" in lexicon
    assert 2 not in lexicon
    with pytest.raises(UnknownWordError, match="'duke'"):
        lexicon.row("duke")


def test_what_keeps_its_spelling_is_found_normalised_too_but_written_as_it_stands():
    lexicon = Lexicon(["King"], Segmentation(method="words"), keeps_spelling=True)
    assert lexicon.as_written("KING") == "KING"
    assert Lexicon(["king"], Segmentation(method="words"), keeps_spelling=False).as_written("KING") == "king"
    assert lexicon.find("KING") is None


def test_a_text_is_cut_as_the_training_text_was():
    phrases = Phrases(entries=(Phrase(("new", "york")),))
    lexicon = Lexicon(["new_york", "the", "city"], Segmentation(method="words", phrases=phrases), keeps_spelling=False)
    assert lexicon.words_of(["The city", "New York!"]) == ["the", "city", "new_york"]
    assert lexicon.find("new york") == 0
    assert Lexicon(["a b"], None, keeps_spelling=False).words_of(["a b", "a c"]) == ["a b", "a", "c"]


def test_the_words_of_a_vocabulary_are_shared():
    vocabulary = Vocabulary(["b", "a"], [2, 1])
    lexicon = Lexicon(vocabulary, None, keeps_spelling=False)
    assert (lexicon.words, lexicon.find("a"), lexicon.word(0)) == (["b", "a"], 1, "b")
    assert lexicon.rows is vocabulary.table


def test_a_word_that_stands_twice_is_refused():
    with pytest.raises(UsageError, match="the word 'a' stands twice"):
        Lexicon(["a", "b", "a"], None, keeps_spelling=False)
