"""Any network that transformers opens with AutoModel, as what `extract` reads with: RoBERTa, XLM-R, DistilBERT, ...

The library runs here, with the extra `hf`. Only safetensors are opened and no code that comes with a model is run;
nothing is downloaded. Windows are padded to the longest of their batch.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from firth.alignment import Cut, Pieced
from firth.cutting import available_processors
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.readers import WORDS, Batch, Precision, Reader, alone, fingerprint_of_network, of_table, pieced_by

if TYPE_CHECKING:
    from firth.packing import Pool

_USUAL_POSITIONS: Final = 512  # where neither model nor tokenizer says how many there are
_LEAST_POSITIONS: Final = 1_000_000  # a tokenizer's `model_max_length` beyond means that it does not know
_PROBE: Final = ((5, 6, 7), (5, 6, 8))  # ids of two texts that end differently


def read(
    folder: Path,
    *,
    context_length: int | None = None,
    device: str | None = None,
    precision: Precision = "fp32",
    threads: int | None = None,
) -> Reader:
    """The network and the tokenizer in a directory.

    Args:
        folder: As `save_pretrained` writes it.
        context_length: Pieces that the network reads at once, special ones among them; None is all its positions.
        device: As `firth.train` has it; None takes the fastest there is.
        precision: The type of the network's numbers.
        threads: How many threads compute; None is all cores.

    Raises:
        FirthError: transformers is missing, or does not open the directory; the tokenizer tells no characters; the
            layers are of several widths.
        UsageError: a context longer than the network's positions.
    """
    shown = printable(str(folder))
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer

        from firth import packing
        from firth.devices import chosen_device, on_threads
    except ImportError as error:
        raise FirthError(
            f"{shown} is of an architecture that transformers runs, which cannot be imported here "
            f"({printable(str(error))}): pip install 'firth[hf]'"
        ) from None
    try:
        given: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), **given)
        network: Any = AutoModel.from_pretrained(str(folder), use_safetensors=True, dtype=torch.float32, **given)
    except Exception as error:  # of many kinds, as its files are
        raise FirthError(f"{shown} is not opened by transformers: {_first_line(error)}") from None
    if getattr(network.config, "is_encoder_decoder", False):
        network = network.get_encoder()
    if not getattr(tokenizer, "is_fast", False):
        raise FirthError(
            f"{shown}: its tokenizer does not tell which characters a piece is made of; one of the tokenizers library "
            "does (tokenizer.json)"
        )
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.no_truncation()
    backend.no_padding()
    before, behind = _special_ids(backend)
    n_positions = _n_positions(network, tokenizer)
    if context_length is not None and context_length > n_positions:
        raise UsageError(f"context_length is {context_length}; the network has {n_positions} positions")
    capacity = (context_length or n_positions) - len(before) - len(behind)
    if capacity < 1:
        raise UsageError(f"context_length is {context_length}, which leaves no room for a piece of text")
    place = chosen_device(device)
    network = network.to(place, torch.bfloat16 if precision == "bf16" else torch.float32).eval()
    pad = tokenizer.pad_token_id or 0
    try:
        n_rows = len(network.get_input_embeddings().weight)
    except (NotImplementedError, AttributeError):
        n_rows = None  # no plain table

    def hidden_states(windows: Sequence[Any]) -> tuple[Any, Any]:
        """The layers of padded windows, (B, T, D) each, and (B, T) where they are no padding."""
        lengths = torch.tensor([len(window) for window in windows])
        is_there = torch.arange(int(lengths.max())) < lengths[:, None]
        ids = torch.full(is_there.shape, pad).masked_scatter(is_there, torch.cat(list(windows)))
        mask = is_there.to(place)
        states = network(input_ids=ids.to(place), attention_mask=mask.long(), output_hidden_states=True).hidden_states
        return states, mask

    def vectors(batch: Batch, layers: Sequence[int], pool: "Pool", n_threads: int) -> NDArray[np.float32]:
        firsts, stops = (torch.from_numpy(rows).to(place) for rows in (batch.firsts, batch.stops))
        with on_threads(n_threads), torch.inference_mode():
            states, mask = hidden_states([torch.from_numpy(window) for window in batch.windows])
            found = [packing.pooled(states[layer][mask], firsts, stops, pool).cpu().numpy() for layer in layers]
        return np.stack(found)

    def pieced(cuts: Sequence[Cut]) -> list[Pieced]:
        found = pieced_by(backend, tokenizer.unk_token_id, cuts)
        highest = max((int(one.ids.max(initial=-1)) for one in found), default=-1)
        if n_rows is not None and highest >= n_rows:
            raise FirthError(
                f"{shown}: its tokenizer makes the piece '{printable(str(backend.id_to_token(highest)))}', number "
                f"{highest:,}, and the network's table has {n_rows:,} rows: it was not resized when pieces were added"
            )
        return found

    def table(words: Sequence[str], pool: "Pool") -> NDArray[np.float32]:
        rows = network.get_input_embeddings().weight
        if rows.shape[1] != dim:
            raise FirthError(
                f"{shown}: its token table has vectors of {rows.shape[1]} numbers, and its layers of {dim}, so that no "
                "array holds both: ask for the layers from 1 on (1:)"
            )
        return of_table(rows, pieced(alone(words)), pool)

    with torch.inference_mode():
        n_entries = backend.get_vocab_size()
        states, _ = hidden_states([torch.tensor([piece % n_entries for piece in probe]) for probe in _PROBE])
    widths = {state.shape[-1] for state in states}
    if len(widths) > 1:
        raise FirthError(f"{shown}: its layers are of widths {sorted(widths)}, and one array cannot hold them")
    dim = widths.pop()
    normalizer = backend.normalizer
    return Reader(
        name=f"a {printable(str(network.config.model_type))} model",
        family=printable(str(network.config.model_type)),
        n_layers=len(states),
        dim=dim,
        segmentation=WORDS,
        capacity=capacity,
        before=before,
        behind=behind,
        is_causal=bool(torch.allclose(states[-1][0, 1], states[-1][1, 1], rtol=1e-5, atol=1e-6)),
        has_context=True,
        n_workers=(threads or available_processors()) if place.type == "cpu" else 1,
        pieced=pieced,
        vectors=vectors,
        fingerprint=lambda: fingerprint_of_network(network),
        table=table,
        reads_words=False,
        folds_case=normalizer is not None and bool(normalizer.normalize_str("A") == "a"),
    )


def _special_ids(backend: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a tokenizer sets before a text, and behind it."""
    encoding = backend.encode("a")
    places = [place for place, is_special in enumerate(encoding.special_tokens_mask) if not is_special]
    if not places:
        return (), ()
    return tuple(encoding.ids[: places[0]]), tuple(encoding.ids[places[-1] + 1 :])


def _n_positions(network: Any, tokenizer: Any) -> int:
    """The longest text that network and tokenizer agree on; RoBERTa's table begins behind its padding's position."""
    config = network.config
    known = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
    numbers = [number for number in known if isinstance(number, int) and number > 0]
    tables = [module for name, module in network.named_modules() if name.endswith("position_embeddings")]
    paddings = [table.padding_idx for table in tables if getattr(table, "padding_idx", None) is not None]
    numbers = [number - max(paddings, default=-1) - 1 for number in numbers]
    longest = getattr(tokenizer, "model_max_length", None)
    if isinstance(longest, int) and 0 < longest < _LEAST_POSITIONS:
        numbers.append(longest)
    return min(numbers, default=_USUAL_POSITIONS)


def _first_line(error: Exception) -> str:
    return printable((str(error).strip().splitlines() or [type(error).__name__])[0])
