"""Directories that `SentenceTransformer(path)` opens: of static vectors, and of a network whose pieces are averaged.

The library is not needed to write them. Their layout is that of https://github.com/UKPLab/sentence-transformers since
its version 3: modules.json names the steps, each of which has its files in a folder.
"""

import json
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError
from firth.files import json_object, printable, replacing
from firth.formats import safetensors
from firth.scripts import LETTERS, WITHOUT_SPACES, character_class
from firth.segmentation import Segmentation

STATIC: Final = "0_StaticEmbedding"
POOLING: Final = "1_Pooling"
MODULES: Final = "modules.json"

_TYPES: Final = "sentence_transformers.models."
_NETWORK_FILES: Final = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
_SHARDS: Final = "model-*-of-*.safetensors"
_PRIVATE_USE: Final = range(0xE000, 0xF900)
_INVISIBLE: Final = "[\\x{AD}\\x{2060}\\x{FEFF}]"
_UNBOUNDED: Final = 1_000_000  # of a tokenizer's `model_max_length`: it does not know
_PADDINGS: Final = ("[PAD]", "<pad>")
_LAST_PADDINGS: Final = ("<|endoftext|>", "</s>", "[UNK]", "<unk>")  # those of GPT-2 and GPT-1 have no other
_BEHIND_PADDING: Final = frozenset(
    {
        *("camembert", "data2vec-text", "esm", "ibert", "lilt", "longformer", "luke", "mpnet", "roberta"),
        *("roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
    }
)
"""Model types whose first position is the one behind that of padding, so that their tables have rows of no use."""


def write_static(
    folder: Path, words: Sequence[str], matrix: NDArray[np.float32], segmentation: Segmentation | None
) -> None:
    """Writes words and their vectors: a text's vector is the mean of its words' vectors, as they stand.

    Words that are not known are left out of the mean; a text without a known word becomes zeros there. Text is cut as
    `segmentation` does by the methods `words`, `space` and `characters`. What needs a dictionary is not done: Chinese
    by method `chinese` has to be given in words parted by white space, and phrases joined.

    Args:
        folder: A directory that exists.
        words: Each once.
        matrix: (word, dim).
        segmentation: How the text of the vectors was cut; None is at white space.

    Warns:
        UserWarning: The text of the vectors was treated in a way that the directory does not have.
    """
    if left_out := list(_left_out(segmentation)):
        warnings.warn(
            f"what opens the directory treats texts without {', '.join(left_out)}, as the text of these vectors was "
            "treated: give it texts that were treated so already, their words parted by white space",
            stacklevel=3,
        )
    inside = folder / STATIC
    inside.mkdir()
    safetensors.write(inside / "model.safetensors", {"embedding.weight": np.ascontiguousarray(matrix)})
    _write_json(inside / "tokenizer.json", _tokenizer(words, segmentation))
    _write_modules(folder, [(STATIC, "StaticEmbedding")])


def write_network(folder: Path, source: Path) -> None:
    """Writes a network of a Hugging Face directory: a text's vector is the mean of its pieces' in the last layer.

    Special pieces count in the mean, as they do in the library. Text beyond the network's window is cut off there; the
    window is the one it was trained with.

    Args:
        folder: A directory that exists.
        source: One with config.json and model.safetensors; of firth's, with firth.json.

    Raises:
        FirthError: a file of it is missing or damaged.
    """
    config = json_object(source / "config.json")
    shards = sorted(path.name for path in source.glob(_SHARDS))
    names = [name for name in (*_NETWORK_FILES, *shards) if (source / name).is_file()]
    missing = [name for name in ("tokenizer.json",) if name not in names]
    if not any(name.endswith(".safetensors") for name in names):
        missing.append("model.safetensors")
    if missing:
        raise FirthError(f"{printable(str(source))} has no {' and no '.join(missing)}")
    for name in names:
        if name != "tokenizer_config.json":
            shutil.copyfile(source / name, folder / name)
    tokenizer = json_object(source / "tokenizer_config.json") if "tokenizer_config.json" in names else {}
    given = tokenizer.pop("pad_token", None)
    if (padding := _padding(source, config)) is not None:
        tokenizer["pad_token"] = given if isinstance(given, dict) and given.get("content") == padding else padding
    _write_json(folder / "tokenizer_config.json", tokenizer)
    dim = next((config[name] for name in ("hidden_size", "n_embd", "dim", "d_model") if name in config), None)
    if type(dim) is not int:
        raise FirthError(f"{printable(str(source))}: its config.json does not say how wide its layers are")
    (folder / POOLING).mkdir()
    _write_json(
        folder / POOLING / "config.json",
        {"word_embedding_dimension": dim, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
    )
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": _window(source, config, tokenizer)})
    _write_modules(folder, [("", "Transformer"), (POOLING, "Pooling")])


def is_network(source: Path) -> bool:
    """Whether a directory holds a network that `write_network` takes."""
    return (source / "config.json").is_file() and (
        (source / "model.safetensors").is_file() or any(source.glob(_SHARDS))
    )


def _padding(source: Path, config: Mapping[str, Any]) -> str | None:
    """The piece that batches are filled up with, which the network's table has; None where there is none.

    One that the tokenizer did not have would be added behind its last, where the table has no row.
    """
    names = ("tokenizer_config.json", "special_tokens_map.json")
    told = [json_object(source / name) for name in names if (source / name).is_file()]
    number_of = _numbers_of_pieces(source / "tokenizer.json", told)
    piece_of = {number: piece for piece, number in number_of.items()}
    n_rows = config.get("vocab_size")

    def named(what: str) -> Iterator[str | None]:
        for settings in told:
            token = settings.get(what)
            yield token.get("content") if isinstance(token, dict) else token

    def numbered(what: str) -> str | None:
        number = config.get(what)
        return piece_of.get(number) if type(number) is int else None

    candidates = [*named("pad_token"), numbered("pad_token_id"), *_PADDINGS]
    candidates += [*named("eos_token"), numbered("eos_token_id"), *named("unk_token"), *_LAST_PADDINGS]
    for piece in candidates:
        number = number_of.get(piece) if isinstance(piece, str) else None
        if number is not None and not (type(n_rows) is int and number >= n_rows):
            return piece
    return None


def _numbers_of_pieces(path: Path, told: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The pieces of tokenizer.json, and those that its settings add."""
    written = json_object(path)
    try:
        pieces = written["model"]["vocab"]  # a list where each has a score
        numbers = dict(pieces) if isinstance(pieces, dict) else {pair[0]: number for number, pair in enumerate(pieces)}
        numbers |= {token["content"]: token["id"] for token in written.get("added_tokens") or []}
        for settings in told:
            added = settings.get("added_tokens_decoder") or {}
            numbers |= {token["content"]: int(number) for number, token in added.items()}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise FirthError(f"{printable(str(path))} does not hold the pieces of a tokenizer") from None
    return numbers


def _window(source: Path, config: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> int:
    """Pieces that a network reads at once."""
    n_rows = config.get("max_position_embeddings")
    if config.get("model_type") in _BEHIND_PADDING and type(n_rows) is int:
        padding = config.get("pad_token_id", 1)
        n_rows -= 1 + (padding if type(padding) is int else 1)
    known = [n_rows, config.get("n_positions"), tokenizer.get("model_max_length")]
    if (source / "firth.json").is_file():  # positions beyond those of its training were never learnt
        settings = json_object(source / "firth.json")
        family = settings.get("family")
        if "corpus" in settings and isinstance(family, dict):
            known.append(family.get("context_length"))
    return min((number for number in known if type(number) is int and 0 < number < _UNBOUNDED), default=512)


def _write_modules(folder: Path, modules: Sequence[tuple[str, str]]) -> None:
    """Writes modules.json: the steps, each with its folder."""
    _write_json(
        folder / MODULES,
        [
            {"idx": number, "name": str(number), "path": path, "type": _TYPES + kind}
            for number, (path, kind) in enumerate(modules)
        ],
    )
    _write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"},
    )


# --- text -> words, as the tokenizers library does it


def _tokenizer(words: Sequence[str], segmentation: Segmentation | None) -> dict[str, Any]:
    """What tokenizer.json says: words are entries, and what is not known is nothing.

    The library's own model of words has one entry for all that is unknown. One of byte pairs without pairs drops what
    it has no entry for; so that it does not take the letters of an unknown word for words, a mark that stands nowhere
    else is set before each.
    """
    used = set("".join(words))
    mark = next(chr(code) for code in _PRIVATE_USE if chr(code) not in used)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": _normalizer(segmentation),
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                _cutter(segmentation),
                {"type": "Metaspace", "replacement": mark, "prepend_scheme": "always", "split": True},
            ],
        },
        "post_processor": None,
        "decoder": {"type": "Metaspace", "replacement": mark, "prepend_scheme": "always", "split": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {mark + word: row for row, word in enumerate(words)},
            "merges": [],
        },
    }


def _left_out(segmentation: Segmentation | None) -> Iterator[str]:
    """What was done to the text of the vectors that a tokenizer.json cannot say."""
    if segmentation is None:
        return
    if segmentation.method == "chinese":
        yield "the segmenter of Chinese"
    if segmentation.simplified:
        yield "making traditional Chinese simplified"
    if segmentation.drop:
        yield f"dropping markup ({', '.join(segmentation.drop)})"
    if segmentation.phrases:
        yield "joining phrases"


def _normalizer(segmentation: Segmentation | None) -> dict[str, Any] | None:
    """How text is normalised before it is cut."""
    if segmentation is None:
        return None
    steps: list[dict[str, Any]] = [_replaced(_INVISIBLE, ""), {"type": segmentation.unicode_form}]
    if segmentation.lower:
        steps += [{"type": "Lowercase"}, {"type": segmentation.unicode_form}]
    if segmentation.digits == "zero":
        steps.append(_replaced(r"\p{Nd}", "0"))
    if "'" in segmentation.inner:
        steps.append(_replaced(r"\x{2019}", "'"))
    if "-" in segmentation.inner:
        steps.append(_replaced(r"[\x{2010}\x{2011}]", "-"))
    return {"type": "Sequence", "normalizers": steps}


def _replaced(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def _cutter(segmentation: Segmentation | None) -> dict[str, Any]:
    """What cuts text into words."""
    if segmentation is None or segmentation.method == "space":
        return {"type": "WhitespaceSplit"}
    letters, marks = r"\p{L}\p{N}_", r"\p{M}\x{200C}\x{200D}"
    run = f"[{letters}][{letters}{marks}]*"
    inner = "".join(re.escape(character) for character in segmentation.inner)
    if segmentation.method == "characters":
        alone = "".join(character_class(LETTERS[script]) for script in WITHOUT_SPACES)
        run = f"[{letters}&&[^{alone}]][{letters}{marks}&&[^{alone}]]*"
        word = f"[{alone}&&[{letters}]][{marks}]*|{_joined(run, inner)}"
    else:
        word = _joined(run, inner)
    if segmentation.punctuation:
        word += r"|([\p{P}\p{S}])\1*"
    return {"type": "Split", "pattern": {"Regex": word}, "behavior": "Removed", "invert": True}


def _joined(run: str, inner: str) -> str:
    return f"{run}(?:[{inner}]{run})*" if inner else run


# --- files


def _write_json(path: Path, value: object) -> None:
    with replacing(path) as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")
