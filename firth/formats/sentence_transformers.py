"""Directories that `SentenceTransformer(path)` opens: of static vectors, and of a network whose pieces are averaged.

The library is not needed to write them. Their layout is that of https://github.com/UKPLab/sentence-transformers since
its version 3: modules.json names the steps, each of which has its files in a folder.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError
from firth.files import printable, replacing
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
    """
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
    config = _read_json(source / "config.json")
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
    tokenizer = _read_json(source / "tokenizer_config.json") if "tokenizer_config.json" in names else {}
    if tokenizer.get("pad_token") is None:  # GPT has none, and batches are filled up
        tokenizer["pad_token"] = tokenizer.get("eos_token") or tokenizer.get("unk_token") or "[PAD]"
    _write_json(folder / "tokenizer_config.json", tokenizer)
    dim = config.get("hidden_size", config.get("n_embd", config.get("dim")))
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


def _window(source: Path, config: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> int:
    """Pieces that a network reads at once."""
    known = [config.get("max_position_embeddings"), config.get("n_positions"), tokenizer.get("model_max_length")]
    if (source / "firth.json").is_file():  # positions beyond those of its training were never learnt
        settings = _read_json(source / "firth.json")
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
    return {"type": "Split", "pattern": {"Regex": word}, "behavior": "Removed", "invert": True}


def _joined(run: str, inner: str) -> str:
    return f"{run}(?:[{inner}]{run})*" if inner else run


# --- files


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise FirthError(f"{printable(str(path))} is not JSON: {printable(str(error))}") from None
    if not isinstance(value, dict):
        raise FirthError(f"{printable(str(path))} is not a JSON object")
    return value


def _write_json(path: Path, value: object) -> None:
    with replacing(path) as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")
