"""A model for the Hugging Face Hub: the files that go, and the card that says what it is."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from firth import evaluation, hub
from firth.errors import FirthError, UsageError
from firth.explanations import FAMILY_TITLES
from firth.files import latest_checkpoint, printable, without_folders
from firth.model import CONTEXTUAL, OF_PIECES, Model
from firth.vectors import Vectors

CARD: Final = "README.md"

_LICENCE: Final = re.compile(r"[a-z0-9][a-z0-9.-]*")
_LICENCE_OF_CARD: Final = re.compile(r"\A---\s*\n(?:(?!---).*\n)*?license:[ \t]*\S")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]+)*")
_SETTINGS: Final = ("firth.json", "matrices/firth.json", "config.json", "tokenizer_config.json")  # may tell of places


class Parcel(NamedTuple):
    """What is sent.

    Attributes:
        name: Where to, as `org/name`.
        files: By their names there: where they are, or what is in them. The card is README.md.
        left_out: What stands in the model's directory and stays there.
    """

    name: str
    files: dict[str, Path | bytes]
    left_out: list[str]

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            name: content.stat().st_size if isinstance(content, Path) else len(content)
            for name, content in self.files.items()
        }


def push(
    model: Model | str | os.PathLike[str],
    name: str,
    *,
    licence: str | None = None,
    private: bool | None = None,
    languages: Sequence[str] = (),
    pairs: Sequence[str | os.PathLike[str]] = (),
    analogies: Sequence[str | os.PathLike[str]] = (),
) -> str:
    """The address at which a model is, on the Hugging Face Hub, after it was sent there.

    What goes are the files that make the model, and a card; `parcel` shows them before. They go in one commit: all or
    none. `firth.load("hf:org/name")` opens them, and `transformers` does where the model is of GPT or BERT.

    Args:
        model: A model, or its directory.
        name: As `org/name`; who sends needs a token that may write there (`hf auth login`, or HF_TOKEN).
        licence: Under which others may use it, as the Hub calls licences: `apache-2.0`, `cc-by-sa-4.0`, `other`. Of a
            directory with a README.md of its own, that is the card, and has to say it.
        private: Whether the model is for its owner alone, where it is not there yet; None is as the Hub decides.
        languages: Of the text, as `en`, `zh`.
        pairs: Files of word pairs that the card gives the scores of, see `firth.evaluate_pairs`.
        analogies: Files of analogy questions, the same.

    Raises:
        UsageError: no such place, no licence.
        FirthError: no model that training has finished; the network failed, or the Hub refused.
    """
    about: dict[str, Any] = {"licence": licence, "languages": languages, "pairs": pairs, "analogies": analogies}
    if not isinstance(model, Model):
        return send(parcel(model, name, **about), private=private)
    hub.checked_name(name)  # before a directory is written
    with tempfile.TemporaryDirectory(prefix="firth-") as folder:
        model.save(Path(folder, "model"))
        return send(parcel(Path(folder, "model"), name, **about), private=private)


def send(sent: Parcel, *, private: bool | None = None) -> str:
    """The address at which a parcel has arrived."""
    return hub.send(sent.name, sent.files, message="A model by firth", private=private)


def parcel(
    model: str | os.PathLike[str],
    name: str,
    *,
    licence: str | None = None,
    languages: Sequence[str] = (),
    pairs: Sequence[str | os.PathLike[str]] = (),
    analogies: Sequence[str | os.PathLike[str]] = (),
) -> Parcel:
    """What `push` with these arguments sends; nothing is sent yet."""
    name = hub.checked_name(name)
    folder = Path(model)
    shown = printable(str(folder))
    settings = without_folders(_settings(folder))
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            raise UsageError(f"'{printable(language)}' is no code of a language; en and zh are some")
    here = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files: dict[str, Path | bytes] = {file: folder / file for file in here if hub.is_sent(file)}
    files |= {file: _without_folders(folder / file) for file in _SETTINGS if file in files}
    own_card = _own_card(folder / CARD) if CARD in files else None
    if own_card is not None:
        if licence is not None and not re.search(rf"^license:\s*{re.escape(licence)}\s*$", own_card, re.MULTILINE):
            raise UsageError(f"licence '{printable(licence)}' was asked for, and {shown}/{CARD} says another one")
    else:
        if licence is None or not _LICENCE.fullmatch(licence):
            asked = "no licence was given" if licence is None else f"'{printable(licence)}' is no licence's name"
            raise UsageError(
                f"{asked}; the Hub's names are as apache-2.0, mit, cc-by-4.0, cc-by-sa-4.0, cc0-1.0, other "
                "(--licence). The text that the model was trained on may bind you"
            )
        scores = list(_scores(folder, pairs, analogies))
        files[CARD] = card(folder, name, settings, licence, languages, scores).encode()
    tops = {file.partition("/")[0] for file in files}
    left_out = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if path.name not in tops)
    return Parcel(name, files, left_out)


def card(
    folder: Path,
    name: str,
    settings: Mapping[str, Any],
    licence: str,
    languages: Sequence[str],
    scores: Sequence[Mapping[str, str]],
) -> str:
    """The model card, in Markdown, with the Hub's metadata before it."""
    family = settings.get("family")
    kind = str(family.get("name", "")) if isinstance(family, dict) else str(family or "")
    title = FAMILY_TITLES.get(kind, kind or "word vectors")
    metadata = {"license": licence, "library_name": "firth", "pipeline_tag": "feature-extraction"}
    lists = {"language": list(languages), "tags": ["word-vectors", "word-embeddings", *([kind] if kind else [])]}
    lines = ["---", *(f"{key}: {value}" for key, value in metadata.items())]
    lines += [f"{key}: {json.dumps(values)}" for key, values in lists.items() if values]
    vectors = _vectors(folder)
    lines += ["---", "", f"# {name.partition('/')[2]}", "", f"{title}: {_what(vectors, kind)}, pretrained with firth."]
    lines += ["", "## Use", "", "```python", "import firth", "", *_use(vectors, name, settings, kind), "```", ""]
    lines += ["## How it came about", "", "| | |", "|---|---|"]
    lines += [f"| {label} | {_cell(value)} |" for label, value in _account(settings)]
    if isinstance(family, dict):
        rest = ", ".join(
            f"`{key}` {_cell(value)}" for key, value in family.items() if key != "name" and value is not None
        )
        lines += [f"| hyperparameters | {rest} |"]
    lines += ["", "## Scores", ""]
    if scores:
        names = list(scores[0])
        lines += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        lines += [f"| {' | '.join(map(_cell, row.values()))} |" for row in scores]
    else:
        lines += ["It was not evaluated on word pairs or analogies."]
    lines += [
        "",
        "## What to know",
        "",
        "The vectors show how words were used in the text that they were learnt from, its prejudices among the rest.",
        "",
    ]
    return "\n".join(lines)


# --- what the card says


def _what(vectors: Vectors | None, kind: str) -> str:
    """Sizes of a model's matrices."""
    if vectors is None:
        return "a network without vectors of words beside it"
    layers = "one matrix" if vectors.n_layers == 1 else f"{vectors.n_layers} matrices, one a layer,"
    network = ", beside its network" if kind in CONTEXTUAL else ""
    return f"{layers} of {len(vectors):,} words in {vectors.dim} dimensions{network}"


def _use(vectors: Vectors | None, name: str, settings: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Lines of Python that open the model and ask it."""
    if "counts_known" in settings or kind not in CONTEXTUAL:
        known = [] if vectors is None else vectors.words
        word = json.dumps(next((word for word in known if word.isalpha()), "word"), ensure_ascii=False)
        yield f'vectors = firth.Vectors.load("{hub.PREFIX}{name}")'
        yield f"vectors.most_similar({word})"
        return
    yield f'model = firth.load("{hub.PREFIX}{name}")'
    yield 'for sentence in firth.extract(model, ["..."]):'
    yield "    sentence.words, sentence.array  # a vector for each layer and word"
    if kind in OF_PIECES:
        yield f'# transformers opens it too: AutoModel.from_pretrained("{name}")'


def _account(settings: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What the record tells, by label."""
    corpus, spent = _part(settings, "corpus"), _part(settings, "spent")
    if "fingerprint" in corpus:
        yield "corpus, by its fingerprint", f"`{corpus['fingerprint']}`"
    sizes = {"n_tokens": "tokens", "n_sentences": "sentences", "n_lines": "lines", "n_documents": "documents"}
    if told := [_many(corpus[key], noun) for key, noun in sizes.items() if isinstance(corpus.get(key), int)]:
        yield "its size", ", ".join(told)
    segmentation = _part(settings, "segmentation")
    if "method" in segmentation:
        yield (
            "words",
            f"by `{segmentation['method']}`, {'in lower case' if segmentation.get('lower') else 'as written'}",
        )
    for label, part in (("budget", _part(settings, "budget")), ("spent", spent)):
        units = ("epochs", "tokens", "minutes", "seconds")
        if told := [_many(part[unit], unit) for unit in units if isinstance(part.get(unit), int | float)]:
            yield label, ", ".join(told)
    for label, key in (
        ("loss over the last tenth, in nats", "loss_nats"),
        ("loss on held-out text, in nats", "held_out_nats"),
        ("seed", "seed"),
        ("versions", "versions"),
        ("vectors from", "source"),
    ):
        if settings.get(key) is not None:
            yield label, settings[key]
    base = _part(settings, "base")
    if base:
        origin = base.get("source") or _part(base, "corpus").get("fingerprint") or base.get("table", "")
        yield "went on from", f"a model of `{origin}`"


def _many(number: float, noun: str) -> str:
    """A number of something, as `1 epoch`."""
    shown = f"{number:,.0f}" if number >= 1000 or number == int(number) else f"{number:.3g}"
    return f"{shown} {noun.removesuffix('s') if shown == '1' else noun}"


def _part(settings: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = settings.get(key)
    return part if isinstance(part, dict) else {}


def _cell(value: object) -> str:
    """A value in a table of Markdown."""
    if isinstance(value, dict):
        value = ", ".join(f"{key} {_cell(item)}" for key, item in value.items())
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return printable(text).replace("|", "\\|").replace("<", "&lt;")


def _scores(
    folder: Path, pairs: Sequence[str | os.PathLike[str]], analogies: Sequence[str | os.PathLike[str]]
) -> Iterator[dict[str, str]]:
    """A row for each file and layer."""
    if not pairs and not analogies:
        return
    vectors = Vectors.load(folder)
    layers = [(number, vectors.layer(number)) for number in vectors.layer_numbers]
    for path in map(Path, pairs):
        asked = evaluation.read_word_pairs(path)
        for number, matrix in layers:
            found = matrix.evaluate_word_pairs(asked)
            answered = f"{found.n_answered} of {found.n_asked}"
            yield _score(path, number, "Spearman's correlation", found.spearman, answered)
    for path in map(Path, analogies):
        questions = evaluation.read_analogies(path)
        for number, matrix in layers:
            total = matrix.evaluate_word_analogies(questions).total
            answered = f"{total.n_answered} of {total.n_asked}"
            yield _score(path, number, "accuracy", total.accuracy, answered)


def _score(path: Path, layer: int, measure: str, value: float, answered: str) -> dict[str, str]:
    return {"file": path.name, "layer": str(layer), "measure": measure, "score": f"{value:.4f}", "answered": answered}


# --- the directory


def _settings(folder: Path) -> dict[str, Any]:
    """What firth.json says of a finished model."""
    shown = printable(str(folder))
    if not (folder / "firth.json").is_file():
        if latest_checkpoint(folder) is not None:
            raise FirthError(f"{shown} holds an unfinished run; resume it, and send the model (firth train --resume)")
        there = "a directory without firth.json" if folder.is_dir() else "no such directory"
        raise FirthError(f"{shown} is no model of firth's to send: {there}")
    try:
        settings = json.loads((folder / "firth.json").read_bytes())
    except (OSError, ValueError) as error:
        raise FirthError(f"{shown}/firth.json cannot be read: {printable(str(error))}") from None
    if not isinstance(settings, dict):
        raise FirthError(f"{shown}/firth.json holds no settings: a JSON object is due")
    return settings


def _without_folders(path: Path) -> Path | bytes:
    """A file of JSON, without the folders that are named in it; as it is where there are none."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise FirthError(f"{printable(str(path))} is not JSON: {printable(str(error))}") from None
    if not isinstance(value, dict):
        return path
    kept = ("family", "segmentation")  # which hold words and patterns, never places
    plain = {key: item if key in kept else without_folders(item) for key, item in value.items()}
    return path if plain == value else (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode()


def _own_card(path: Path) -> str:
    """The card that a user wrote.

    Raises:
        UsageError: it names no licence.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {printable(str(error))}") from None
    if not _LICENCE_OF_CARD.match(text):
        raise UsageError(
            f"{printable(str(path))} is the model's card and names no licence: begin it with the lines '---', "
            "'license: apache-2.0' (or another) and '---'; or take it away, and one is written"
        )
    return text


def _vectors(folder: Path) -> Vectors | None:
    """The matrices in a directory; None where it has none."""
    try:
        return Vectors.load(folder)
    except FirthError:
        return None
