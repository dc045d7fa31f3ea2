"""How well a network models text that it has never seen, in units that do not depend on its vocabulary.

    bits per byte       GPT, ELMo   what the next piece or word costs, summed up, over the bytes of the text
    pseudo-perplexity   BERT        what hidden words cost, each given all that stands around it

A loss in nats per piece says little across models: the coarser the pieces, the higher. Bits per byte of one text can be
compared. What a model's vocabulary lacks is charged for as if it were spelt out, so that an unknown word is no gift:
8 bits for each byte of it and for its end. Differs from a compressor's figure: white space between words, and capital
letters where a model reads none, are not charged for, though they stand among the bytes.

Pseudo-perplexity: Salazar et al. 2020, "Masked Language Model Scoring", equation 2, of a sample of words; of a word of
several pieces, those behind the one that is asked for are hidden too (Kauf & Ivanova 2023, "A Better Way to Do Masked
Language Model Scoring"), so that a word's own pieces do not give it away.
"""

import math
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import cache, parts
from firth import corpus as corpora
from firth.division import lines_of
from firth.errors import FirthError, UsageError, needing_torch
from firth.families.family import completed
from firth.model import Model
from firth.preparation import Preparation
from firth.segmentation import Segmentation

BITS_OF_BYTE: Final = 8.0
"""What a byte costs that the vocabulary has no way to write, and the end of a word that is spelt."""
BYTES_OF_UNKNOWN: Final = 4
"""Of a piece that stands for what a tokenizer does not know: a character, of so many bytes at most."""
SAMPLED_WORDS: Final = 300
"""Whose pseudo-perplexity is found."""
_TOKENS_AT_ONCE: Final = 4096


class Language(NamedTuple):
    """What a text costs a model.

    Attributes:
        measure: `bits_per_byte` or `pseudo_perplexity`: the lower, the better.
        value: That measure.
        n: Bytes of the text, or words that were hidden.
        items: (n, 2) of bits per byte: bits and bytes of each document, in the text's order; (n,) of pseudo-perplexity:
            nats of each word. See `significance.Measure`.
    """

    measure: str
    value: float
    n: int
    items: NDArray[np.float64]


def measured(
    model: Model,
    text: str | os.PathLike[str],
    *,
    preparation: Preparation | None = None,
    segmentation: Segmentation | None = None,
    n_words: int = SAMPLED_WORDS,
    seed: int = 1,
    threads: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Language | None:
    """What a file of text costs a model; None of one that models no text.

    Args:
        model: GPT or ELMo, whose bits per byte are found, or BERT, whose pseudo-perplexity is; of ELMo, the forward
            direction's.
        text: Lines of UTF-8, a document ends with an empty line.
        preparation: How it is read.
        segmentation: Whose words are hidden from BERT; None is as the model reads.
        n_words: How many of them.
        seed: Decides which.
        threads: How many compute; None is as PyTorch has it.
        cache_dir: Where the encoded text is kept; see `firth.cache.place`.

    Raises:
        FirthError: there is nothing in the text.
    """
    path = Path(text)
    preparation = replaced(preparation or Preparation())
    family = model.family.name
    if family not in ("gpt", "elmo", "bert") or (family == "elmo" and not model.network.n_entries):
        return None
    with needing_torch("a language model"):
        import torch

        from firth.devices import on_threads
    model.network.eval()
    with on_threads(threads or torch.get_num_threads()), torch.inference_mode():
        if family == "gpt":
            return _of_pieces(model, path, preparation, cache_dir)
        if family == "elmo":
            return _of_words(model, path, preparation, cache_dir)
        return pseudo_perplexity(model, list(lines_of(path)), segmentation=segmentation, n_words=n_words, seed=seed)


def replaced(preparation: Preparation) -> Preparation:
    """The preparation without what a text that is measured must not lose: duplicates count."""
    return replace(preparation, drop_duplicates="no")


def _bytes_of_documents(path: Path) -> list[int]:
    """Bytes of each document's lines, each line with its end; empty lines end a document, and do not count."""
    found = [0]
    for line in lines_of(path):
        if line.strip():
            found[-1] += len(line.encode()) + 1
        elif found[-1]:
            found.append(0)
    return [n_bytes for n_bytes in found if n_bytes]


def _bits_per_byte(path: Path, bits: list[float], sizes: list[int]) -> Language:
    """Of the bits of each document, which has so many pieces or words."""
    of_each = np.array(_bytes_of_documents(path), np.float64)
    if not len(of_each):
        raise FirthError("there is no text to measure a language model on")
    n_bytes = int(of_each.sum())
    if len(of_each) != len(bits):  # documents in which a model reads no word: bytes go by words
        of_each = n_bytes * np.array(sizes) / max(1, sum(sizes))
    return Language("bits_per_byte", sum(bits) / n_bytes, n_bytes, np.stack([bits, of_each], axis=1))


def _of_pieces(model: Model, path: Path, preparation: Preparation, cache_dir: Any) -> Language:
    """GPT: each piece given those before it in its document, half a window of them at least where there are as many.

    The first piece of a document costs ln V.
    """
    corpus = corpora.read(path, preparation, splits_sentences=model.family.needs_sentences)
    network, n_entries = model.network, model.pieces.n_entries
    bits = []
    with cache.encoded_pieces(corpus, model.pieces, preparation, cache_dir=cache_dir) as (encoded, _):
        stops = encoded.sentence_ends[encoded.document_ends - 1].tolist() if encoded.n_documents else []
        start = 0
        for stop in stops:
            ids = np.array(encoded.ids[start:stop], np.int64)
            nats = math.log(n_entries) + _nats_of_pieces(network, ids, model.family.context_length)
            n_unknown = 0 if encoded.unk is None else int((ids == encoded.unk).sum())
            bits.append(nats / math.log(2) + n_unknown * BYTES_OF_UNKNOWN * BITS_OF_BYTE)
            start = stop
    return _bits_per_byte(path, bits, np.diff(stops, prepend=0).tolist())


def _nats_of_pieces(network: Any, ids: NDArray[np.int64], context_length: int) -> float:
    """What pieces cost but for the first: the windows overlap by half."""
    import torch

    from firth.objectives import masked_token

    half = max(1, context_length // 2)
    total = 0.0
    begun: list[tuple[int, int]] = []  # where a window begins, and from which of its places on it is charged
    first = 0
    while first == 0 or first + half < len(ids):
        begun.append((first, 1 if first == 0 else context_length - half))
        first += half
    for group in _grouped(begun, max(1, _TOKENS_AT_ONCE // context_length)):
        rows = torch.zeros(len(group), context_length, dtype=torch.int64)
        is_asked = torch.zeros(len(group), context_length, dtype=torch.bool)
        for row, (begin, charged) in enumerate(group):
            window = torch.from_numpy(ids[begin : begin + context_length])
            rows[row, : len(window)] = window
            is_asked[row, charged : len(window)] = True
        if not is_asked.any():
            continue
        hidden = network(rows)[-1][:, :-1][is_asked[:, 1:]]
        targets = rows[:, 1:][is_asked[:, 1:]]
        total += float(masked_token(hidden, network.table, network.bias, targets)) * len(targets)
    return total


def _grouped(items: list[Any], n: int) -> list[list[Any]]:
    return [items[first : first + n] for first in range(0, len(items), n)]


def _of_words(model: Model, path: Path, preparation: Preparation, cache_dir: Any) -> Language:
    """ELMo, forward: each word given those before it, over the whole vocabulary; what it does not know is spelt.

    Long documents are read in rows of whole sentences side by side, see `streams.held_out`.
    """
    from firth import streams
    from firth.batches import n_predictions, tensors
    from firth.characters import UNKNOWN

    like = model.segmentation
    preparation = completed(preparation, model.family)
    read_as = replace(preparation, inner=like.inner, drop=like.drop)
    corpus = corpora.read(path, read_as, splits_sentences=model.family.needs_sentences)
    bits: list[float] = []
    sizes: list[int] = []
    with cache.encoded(corpus, like, read_as, cache_dir=cache_dir) as encoded:
        line_ends = encoded.line_ends
        stops = np.array(encoded.document_ends)
        whole = streams.Sentences(
            corpus=encoded,
            vocabulary=model.vocabulary,
            row_of_type=streams.rows_of_types(encoded, model.vocabulary),
            line_ends=line_ends,
            firsts=np.zeros(1, np.int64),
            stops=np.array([len(line_ends)]),
            held_out=None,
            context_length=model.family.context_length,
            batch_size=model.family.batch_size,
            directions=model.family.directions,
        )
        is_unknown = np.asarray(whole.row_of_type[:-2] == model.vocabulary.row(UNKNOWN))
        spelt = np.array([len(word.encode("utf-8", "replace")) + 1 for word in encoded.types]) * is_unknown
        for first, stop in pairwise([0, *stops.tolist()]):
            document = replace(whole, firsts=np.array([first]), stops=np.array([stop]))
            total, size, state = 0.0, 0, None
            for batch in model.family.held_out(replace(whole, held_out=document)):
                loss = model.family.loss(model.network, tensors(batch), state)
                n = int(n_predictions(tensors(batch)))
                total += float(loss.parts["forward"]) * n
                size += n
                state = loss.state
            type_ids = encoded.type_ids[line_ends[first - 1] if first else 0 : line_ends[stop - 1]]
            bits.append(total / math.log(2) + float(spelt[type_ids].sum()) * BITS_OF_BYTE)
            sizes.append(size)
    return _bits_per_byte(path, bits, sizes)


def pseudo_perplexity(
    model: Model,
    lines: list[str],
    *,
    segmentation: Segmentation | None = None,
    n_words: int = SAMPLED_WORDS,
    seed: int = 1,
) -> Language:
    """exp of the mean nats of hidden words: of `n_words` that the seed draws from all words of the lines.

    Args:
        model: A BERT.
        lines: Texts; each is read by itself, as much of it as the network reads at once around the word.
        segmentation: What a word is.
        n_words: How many are hidden, one at a time; fewer where there are fewer.
        seed: Decides which.

    Raises:
        FirthError: there are no words in the lines.
        UsageError: n_words is no positive number.
    """
    import torch

    from firth.objectives import masked_token

    if n_words < 1:
        raise UsageError(f"n_words is {n_words}; it must be at least 1")
    reader = model.reader(device="cpu")
    asked = parts.asked_of(reader, segmentation=segmentation)
    given = [line for line in lines if line.strip()]
    cuts = parts.cuts_of(asked, given)
    counts = np.array([len(cut.words) for cut in cuts], np.int64)
    n_all = int(counts.sum())
    if not n_all:
        raise FirthError("there are no words to hide in the text")
    chosen = np.sort(np.random.default_rng(seed).permutation(n_all)[:n_words])
    ends = np.cumsum(counts)
    rows: list[tuple[NDArray[np.int64], int, int, int]] = []  # ids, the place that is asked for, its piece, the word
    mask = model.pieces.mask
    assert reader.capacity is not None
    assert mask is not None
    for number, place in enumerate(chosen.tolist()):
        line = int(np.searchsorted(ends, place, side="right"))
        word = place - int(ends[line] - counts[line])
        pieced = reader.pieced([cuts[line]])[0]
        first, stop = int(pieced.firsts[word]), int(pieced.stops[word])
        stop = min(stop, first + reader.capacity // 2)  # of a word that is longer than half a window, its beginning
        begin = max(0, min((first + stop - reader.capacity) // 2, len(pieced.ids) - reader.capacity))
        window = np.concatenate([reader.before, pieced.ids[begin : begin + reader.capacity], reader.behind])
        for piece in range(first, stop):
            ids = window.astype(np.int64)
            where = slice(len(reader.before) + piece - begin, len(reader.before) + stop - begin)
            target = int(ids[where.start])
            ids[where] = mask
            rows.append((ids, where.start, target, number))
    nats = np.zeros(len(chosen))
    network = model.network
    for group in _grouped(rows, max(1, _TOKENS_AT_ONCE // (reader.capacity + 2))):
        longest = max(len(ids) for ids, *_ in group)
        batch = torch.full((len(group), longest), int(model.pieces.pad or 0))
        for row, (ids, *_) in enumerate(group):
            batch[row, : len(ids)] = torch.from_numpy(ids)
        lengths = torch.tensor([len(ids) for ids, *_ in group])
        places = torch.tensor([row * longest + place for row, (_, place, _, _) in enumerate(group)])
        hidden = network.transformed(network(batch, lengths=lengths, chosen=places)[-1])
        for row, (_, _, target, number) in enumerate(group):
            here = slice(row, row + 1)
            cost = masked_token(hidden[here], network.table, network.bias, torch.tensor([target]))
            nats[number] += float(cost)
    return Language("pseudo_perplexity", math.exp(min(700.0, float(nats.mean()))), len(chosen), nats)


def sample(text: Path, into: Path, *, most_bytes: int, seed: int = 1) -> Path:
    """A file of some documents of another, drawn by the seed, `most_bytes` of them; the last one is cut at a line."""
    documents: list[list[str]] = [[]]
    for line in lines_of(text):
        if line.strip():
            documents[-1].append(line)
        elif documents[-1]:
            documents.append([])
    documents = [document for document in documents if document]
    n_bytes = 0
    with into.open("w", encoding="utf-8", newline="\n") as file:
        for number in np.random.default_rng(seed).permutation(len(documents)).tolist():
            for line in documents[number]:
                if n_bytes >= most_bytes:
                    break
                file.write(line + "\n")
                n_bytes += len(line.encode()) + 1
            if n_bytes >= most_bytes:
                break
            file.write("\n")
    return into
