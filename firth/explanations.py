"""What messages about vectors say: which name of ours answers gensim's, and what is spelt like an unknown word."""

import difflib
import functools
import warnings
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from firth.errors import UsageError
from firth.files import printable
from firth.segmentation import is_written_without_spaces

P = ParamSpec("P")
R = TypeVar("R")

GENSIM_ARGUMENTS = {
    "restrict_vocab": "restrict",
    "clip_start": "restrict=range(start, stop)",
    "clip_end": "restrict=range(start, stop)",
    "case_insensitive": "fold (str.upper, or str for words as they stand)",
    "dummy4unknown": "unknown_similarity (pairs) or accuracy_of_asked (analogies)",
    "similarity_function": "method ('3cosadd' or '3cosmul')",
}
GENSIM_ATTRIBUTES = {
    "vector_size": "dim",
    "vectors": "matrix",
    "index_to_key": "words",
    "key_to_index": "row(word)",
    "get_index": "row(word)",
    "has_index_for": "word in vectors",
    "get_vector": "vectors[word]",
    "get_mean_vector": "mean_vector(words)",
    "get_normed_vectors": "unit_normalized().matrix",
    "unit_normalize_all": "unit_normalized()",
    "get_vecattr": "counts[row(word)]",
    "set_vecattr": "Vectors(words, array, counts=counts)",
    "similar_by_key": "similar_by_word",
    "add_vector": "with_vectors(words, array), which returns new vectors",
    "add_vectors": "with_vectors(words, array), which returns new vectors",
    "intersect_word2vec_format": "intersected(Vectors.load(path))",
    "load_word2vec_format": "Vectors.load(path)",
    "save_word2vec_format": "firth.formats.word2vec.write(path, vectors.words, vectors.matrix)",
}

FAMILY_TITLES = {
    "skipgram": "Skip-gram",
    "cbow": "CBOW",
    "glove": "GloVe",
    "elmo": "ELMo",
    "gpt": "GPT",
    "bert": "BERT",
}

N_SPELLINGS = 3
N_NAMED = 5  # of several words that a message is about
SPELLINGS_TRIED = 2_000  # the most frequent that look alike; an error must not take long
LONGEST_EXPLAINED = 50  # characters of an unknown word; what is longer is no misspelt word


def says_our_names(method: Callable[P, R]) -> Callable[P, R]:
    """`method`, which answers gensim's name of an argument by naming ours."""

    @functools.wraps(method)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in GENSIM_ARGUMENTS.keys() & kwargs.keys():
            raise UsageError(f"{name} is called {GENSIM_ARGUMENTS[name]} here")
        return method(*args, **kwargs)

    return checked


def origin(provenance: dict[str, Any]) -> str:
    """What has the layers, for a message: "a Skip-gram model"."""
    family = provenance.get("family")
    name = family.get("name") if isinstance(family, dict) else family
    if not isinstance(name, str) or not name:
        return "a set of vectors"
    title = FAMILY_TITLES.get(name, name)
    return f"{'an' if title[0] in 'AEIOaeio' else 'a'} {printable(title)} model"


def named_layers(numbers: Sequence[int]) -> str:
    """Layers by their numbers, for a message."""
    if len(numbers) == 1:
        return f"layer {numbers[0]}"
    if list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"layers {numbers[0]} to {numbers[-1]}"
    return f"layers {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def warn_of_repeated(path: Path, repeated: Sequence[str]) -> None:
    """Warns of words that a file has twice, of which the first vector was kept."""
    if repeated:
        left_out = f"{len(repeated):,} left out, as their words stood before"
        warnings.warn(f"{printable(str(path))}: {left_out}: {first_few(repeated)}", stacklevel=3)


def first_few(words: Sequence[str]) -> str:
    """The first of `words`, for a message."""
    shown = ", ".join(printable(str(word)[:LONGEST_EXPLAINED]) for word in words[:N_NAMED])
    return f"{shown}, ..." if len(words) > N_NAMED else shown


def explained(word: str, words: Sequence[str], known: Container[str]) -> str:
    """What an unknown word's error says."""
    message = f"'{printable(word[:LONGEST_EXPLAINED])}' is not one of the {len(words):,} words"
    if len(word) > LONGEST_EXPLAINED:
        return message
    parts = known_parts(word, known)
    if parts:
        whole = "its parts are" if sum(map(len, parts)) == len(word) else "of its parts these are"
        message += f"; {whole}: {' + '.join(parts)}"
    spellings = nearest_spellings(word, words)
    if spellings:
        message += f"; nearest spellings: {', '.join(map(printable, spellings))}"
    return message


def nearest_spellings(word: str, words: Sequence[str]) -> list[str]:
    """The words spelt most like `word`, of about its length and with its first or last letter."""
    alike = [
        other
        for other in words
        if -2 <= len(other) - len(word) <= 2 and other and (other[0] == word[:1] or other[-1] == word[-1:])
    ]
    return difflib.get_close_matches(word, alike[:SPELLINGS_TRIED], N_SPELLINGS)


def known_parts(word: str, known: Container[str]) -> list[str]:
    """The fewest known words that cover the most of an unknown one, in its order; none of one written with spaces."""
    if len(word) > LONGEST_EXPLAINED or not is_written_without_spaces(word):
        return []
    # from each character on: how many are left out, the number of parts, the parts
    best: list[tuple[int, int, list[str]]] = [(0, 0, [])] * (len(word) + 1)
    for start in reversed(range(len(word))):
        left_out, n_parts, parts = best[start + 1]
        best[start] = (left_out + 1, n_parts, parts)
        for stop in range(start + 1, len(word) + 1):
            part = word[start:stop]
            left_out, n_parts, parts = best[stop]
            if part in known and (left_out, n_parts + 1) <= best[start][:2]:  # of equals the longest first part
                best[start] = (left_out, n_parts + 1, [part, *parts])
    return best[0][2]
