"""Directories as Hugging Face's transformers reads and writes them: config.json, model.safetensors.

Model types `bert` (BERT), `openai-gpt` (GPT, norm="post") and `gpt2` (GPT, norm="pre"). What the layouts hold in other
ways than our networks do: query, key and value of BERT are three matrices; the matrices of both GPTs stand transposed,
(in, out); tables have no padding rows, since the library counts every row as an entry; what is tied is left out.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from firth.blocks import Activation
from firth.errors import FirthError, UsageError
from firth.families.bert import BERT, BERTNetwork
from firth.families.gpt import GPT, GPTNetwork
from firth.files import json_object, printable, replacing

if TYPE_CHECKING:
    from firth.pieces import Pieces

WEIGHTS: Final = "model.safetensors"
FINETUNING_DROPOUT: Final = 0.1
"""Written as every dropout: the library applies it in fine-tuning alone, and both papers fine-tuned with it."""

_ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}
_GPT1_ACTIVATIONS: Final[Mapping[str, Activation]] = {"gelu": "gelu_tanh", "relu": "relu"}
_PICKLES: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack")
_BUFFERS: Final = (".position_ids", ".attn.bias", ".attn.masked_bias")  # which old versions wrote, no weights
_OLD_NAMES: Final = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))


class Published(NamedTuple):
    """A directory's network, by our names.

    Attributes:
        family: Its sizes, and the recipe `fast`.
        n_entries: Pieces, as config.json counts them.
        tensors: float32, by the names of the network's state; tables without padding rows.
        absent: Parts of the network that the directory does not have: heads that it was not published with.
        unused: Tensors that our network has no place for, by the directory's names.
    """

    family: BERT | GPT
    n_entries: int
    tensors: dict[str, Tensor]
    absent: tuple[str, ...]
    unused: tuple[str, ...]

    def network(self, family: BERT | GPT, seed: int) -> BERTNetwork | GPTNetwork:
        """A network of these weights, on the CPU; what is absent is at its beginning.

        Args:
            family: `self.family`, or one that differs from it in how it is trained.
            seed: Of what is absent.
        """
        network = family.network(self.n_entries, seed)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name in self.tensors:
                    tensor = self.tensors[name]
                    parameter[: len(tensor)] = tensor
        return network


class _Entry(NamedTuple):
    """How one tensor of ours stands in a directory."""

    ours: str
    theirs: tuple[str, ...]  # several, one below the other
    shape: tuple[int, ...]  # of each of them, as it is stored
    is_transposed: bool = False
    is_head: bool = False  # which a directory may do without


def read(folder: Path) -> Published:
    """The network in a directory that transformers wrote, or `write`.

    Raises:
        FirthError: it is not whole, of another architecture, or holds no weights but pickles.
    """
    config = json_object(folder / "config.json")
    family = _family(folder, config)
    n_entries = _number(folder, config, "vocab_size")
    stored = _stored(folder)
    tensors: dict[str, Tensor] = {}
    absent, used = [], set()
    for entry in _entries(family, n_entries):
        names = [_found(name, stored) for name in entry.theirs]
        if None in names and entry.is_head and not any(names):
            absent.append(entry.ours)
            continue
        parts = []
        for name, due in zip(names, entry.theirs, strict=True):
            if name is None or tuple(stored[name].shape) != entry.shape:
                there = "no such tensor" if name is None else f"{tuple(stored[name].shape)}"
                raise FirthError(
                    f"{printable(str(folder))} does not hold the network that its config.json describes: "
                    f"{due} should be {entry.shape}, and there is {there}"
                )
            used.add(name)
            parts.append(stored[name].float())
        whole = torch.cat([part.T for part in parts] if entry.is_transposed else parts)
        tensors[entry.ours] = whole
    if isinstance(family, BERT) and "next.weight" not in tensors:
        family = replace(family, objective="masked_token")
    unused = (name for name in sorted(set(stored) - used) if not name.endswith(_BUFFERS))
    return Published(family, n_entries, tensors, tuple(absent), tuple(unused))


def write(folder: Path, family: BERT | GPT, network: BERTNetwork | GPTNetwork, pieces: "Pieces | None") -> None:
    """Writes config.json, model.safetensors and the tokenizer's files into `folder`, which exists.

    Args:
        folder: A directory.
        family: Of the network.
        network: Its weights are written as float32, without the rows that pad its tables.
        pieces: The tokenizer; None writes the network alone.
    """
    state = {name: parameter.detach().float().cpu() for name, parameter in network.named_parameters()}
    tensors: dict[str, Tensor] = {}
    for entry in _entries(family, network.n_entries):
        tensor = state[entry.ours]
        if entry.ours in ("table", "output_bias"):
            tensor = tensor[: network.n_entries]
        for name, part in zip(entry.theirs, tensor.chunk(len(entry.theirs)), strict=True):
            tensors[name] = (part.T if entry.is_transposed else part).contiguous().clone()
    beside = folder / f".{WEIGHTS}.part"
    try:
        save_file(tensors, beside, {"format": "pt"})  # transformers reads files of this mark alone
        with beside.open("rb+") as weights:
            os.fsync(weights.fileno())
        os.replace(beside, folder / WEIGHTS)
    except SafetensorError as error:  # its name for a full disk, among others
        raise FirthError(f"{printable(str(folder))} cannot be written: {printable(str(error))}") from error
    finally:
        beside.unlink(missing_ok=True)
    with replacing(folder / "config.json") as file:
        json.dump(configuration(family, network, pieces), file, indent=2, sort_keys=True)
        file.write("\n")
    if pieces is not None:
        pieces.write(folder, context_length=family.n_positions)


def configuration(family: BERT | GPT, network: BERTNetwork | GPTNetwork, pieces: "Pieces | None") -> dict[str, Any]:
    """What config.json says of a network."""
    shared = {
        "dtype": "float32",
        "initializer_range": family.deviation,
        "tie_word_embeddings": True,
        "vocab_size": network.n_entries,
    }
    ids = {
        "bos_token_id": pieces.end if pieces else None,
        "eos_token_id": pieces.end if pieces else None,
        "pad_token_id": pieces.pad if pieces else None,
    }
    if isinstance(family, BERT):
        head = "BertForPreTraining" if family.predicts_next_sentence else "BertForMaskedLM"
        return shared | {
            "architectures": [head],
            "attention_probs_dropout_prob": FINETUNING_DROPOUT,
            "hidden_act": _name_of(family.activation, _ACTIVATIONS),
            "hidden_dropout_prob": FINETUNING_DROPOUT,
            "hidden_size": family.dim,
            "intermediate_size": family.inner_dim or 4 * family.dim,
            "layer_norm_eps": family.norm_epsilon,
            "max_position_embeddings": family.n_positions,
            "model_type": "bert",
            "num_attention_heads": family.n_heads,
            "num_hidden_layers": family.n_layers,
            "pad_token_id": pieces.pad if pieces else 0,
            "type_vocab_size": family.n_segments,
        }
    sizes = {
        "attn_pdrop": FINETUNING_DROPOUT,
        "embd_pdrop": FINETUNING_DROPOUT,
        "layer_norm_epsilon": family.norm_epsilon,
        "n_embd": family.dim,
        "n_head": family.n_heads,
        "n_layer": family.n_layers,
        "n_positions": family.n_positions,
        "resid_pdrop": FINETUNING_DROPOUT,
    }
    if family.norm == "post":
        return (
            shared
            | ids
            | sizes
            | {
                "afn": _name_of(family.activation, _GPT1_ACTIVATIONS),
                "architectures": ["OpenAIGPTLMHeadModel"],
                "model_type": "openai-gpt",
            }
        )
    return (
        shared
        | ids
        | sizes
        | {
            "activation_function": _name_of(family.activation, _ACTIVATIONS),
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_inner": family.inner_dim,
        }
    )


def _entries(family: BERT | GPT, n_entries: int) -> Iterator[_Entry]:
    """Every tensor of a family's network; the names of theirs are https://github.com/huggingface/transformers' 5."""
    return _bert_entries(family, n_entries) if isinstance(family, BERT) else _gpt_entries(family, n_entries)


def _bert_entries(family: BERT, n_entries: int) -> Iterator[_Entry]:
    dim, inner_dim = family.dim, family.inner_dim or 4 * family.dim
    tables = "bert.embeddings."
    yield _Entry("table", (tables + "word_embeddings.weight",), (n_entries, dim))
    yield _Entry("positions", (tables + "position_embeddings.weight",), (family.n_positions, dim))
    yield _Entry("segments", (tables + "token_type_embeddings.weight",), (family.n_segments, dim))
    yield from _norm("norm", tables + "LayerNorm", dim)
    for layer in range(family.n_layers):
        ours, theirs = f"blocks.{layer}.", f"bert.encoder.layer.{layer}."
        three = tuple(f"{theirs}attention.self.{part}" for part in ("query", "key", "value"))
        yield _Entry(ours + "qkv.weight", tuple(f"{part}.weight" for part in three), (dim, dim))
        yield _Entry(ours + "qkv.bias", tuple(f"{part}.bias" for part in three), (dim,))
        yield from _linear(ours + "out", theirs + "attention.output.dense", dim, dim)
        yield from _norm(ours + "norm_1", theirs + "attention.output.LayerNorm", dim)
        yield from _linear(ours + "up", theirs + "intermediate.dense", dim, inner_dim)
        yield from _linear(ours + "down", theirs + "output.dense", inner_dim, dim)
        yield from _norm(ours + "norm_2", theirs + "output.LayerNorm", dim)
    heads = (
        *_linear("transform", "cls.predictions.transform.dense", dim, dim),
        *_norm("transform_norm", "cls.predictions.transform.LayerNorm", dim),
        _Entry("output_bias", ("cls.predictions.bias",), (n_entries,)),
        *_linear("pooler", "bert.pooler.dense", dim, dim),
        *_linear("next", "cls.seq_relationship", dim, 2),
    )
    for head in heads:
        yield head._replace(is_head=True)


def _gpt_entries(family: GPT, n_entries: int) -> Iterator[_Entry]:
    dim, inner_dim = family.dim, family.inner_dim or 4 * family.dim
    tokens, positions = ("wte", "wpe") if family.norm == "pre" else ("tokens_embed", "positions_embed")
    yield _Entry("table", (f"transformer.{tokens}.weight",), (n_entries, dim))
    yield _Entry("positions", (f"transformer.{positions}.weight",), (family.n_positions, dim))
    for layer in range(family.n_layers):
        ours, theirs = f"blocks.{layer}.", f"transformer.h.{layer}."
        yield from _linear(ours + "qkv", theirs + "attn.c_attn", dim, 3 * dim, is_transposed=True)
        yield from _linear(ours + "out", theirs + "attn.c_proj", dim, dim, is_transposed=True)
        yield from _norm(ours + "norm_1", theirs + "ln_1", dim)
        yield from _linear(ours + "up", theirs + "mlp.c_fc", dim, inner_dim, is_transposed=True)
        yield from _linear(ours + "down", theirs + "mlp.c_proj", inner_dim, dim, is_transposed=True)
        yield from _norm(ours + "norm_2", theirs + "ln_2", dim)
    if family.norm == "pre":
        yield from _norm("norm", "transformer.ln_f", dim)


def _linear(ours: str, theirs: str, n_in: int, n_out: int, *, is_transposed: bool = False) -> Iterator[_Entry]:
    shape = (n_in, n_out) if is_transposed else (n_out, n_in)
    yield _Entry(f"{ours}.weight", (f"{theirs}.weight",), shape, is_transposed)
    yield _Entry(f"{ours}.bias", (f"{theirs}.bias",), (n_out,))


def _norm(ours: str, theirs: str, dim: int) -> Iterator[_Entry]:
    for part in ("weight", "bias"):
        yield _Entry(f"{ours}.{part}", (f"{theirs}.{part}",), (dim,))


def _found(name: str, stored: Mapping[str, Tensor]) -> str | None:
    """The name that a tensor has in a directory: models without heads leave the first part out, old ones differ."""
    bare = name.partition(".")[2] if name.startswith(("bert.", "transformer.")) else name
    for candidate in (name, bare):
        for new, old in (("", ""), *_OLD_NAMES):
            if candidate.endswith(new) and candidate.removesuffix(new) + old in stored:
                return candidate.removesuffix(new) + old
    return None


def _family(folder: Path, config: Mapping[str, Any]) -> BERT | GPT:
    """The family that config.json describes."""
    model_type = config.get("model_type")
    if model_type == "bert":
        _check_same(folder, config, {"position_embedding_type": "absolute", "is_decoder": False})
        sizes = {
            "dim": "hidden_size",
            "n_layers": "num_hidden_layers",
            "n_heads": "num_attention_heads",
            "inner_dim": "intermediate_size",
            "n_positions": "max_position_embeddings",
            "n_segments": "type_vocab_size",
        }
        activation, epsilon = _activation(folder, config, "hidden_act", "gelu", _ACTIVATIONS), ("layer_norm_eps", 1e-12)
    elif model_type in ("gpt2", "openai-gpt"):
        same = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False}
        _check_same(folder, config, same)
        sizes = {"dim": "n_embd", "n_layers": "n_layer", "n_heads": "n_head", "n_positions": "n_positions"}
        if model_type == "gpt2":
            activation = _activation(folder, config, "activation_function", "gelu_new", _ACTIVATIONS)
        else:
            activation = _activation(folder, config, "afn", "gelu", _GPT1_ACTIVATIONS)
        epsilon = ("layer_norm_epsilon", 1e-5)
    else:
        known = "known are 'bert', 'openai-gpt' and 'gpt2'"
        if model_type is None:
            raise FirthError(f"{printable(str(folder))} is no model: its config.json names no model_type; {known}")
        raise FirthError(
            f"{printable(str(folder))} is a model of type {printable(str(model_type))!r}; {known}. `firth extract` and "
            "firth.extract read others by transformers (pip install 'firth[hf]')"
        )
    _check_same(folder, config, {"tie_word_embeddings": True})
    given: dict[str, Any] = {ours: _number(folder, config, theirs) for ours, theirs in sizes.items()}
    try:
        given["norm_epsilon"] = float(config.get(*epsilon))
        given["deviation"] = float(config.get("initializer_range", 0.02))
    except (TypeError, ValueError):
        raise FirthError(f"{printable(str(folder))}: {epsilon[0]} and initializer_range must be numbers") from None
    given["activation"] = activation
    given["context_length"] = min(128, given["n_positions"])
    try:
        if model_type == "bert":
            return BERT(
                objective="masked_token_and_next_sentence" if given["n_segments"] > 1 else "masked_token", **given
            )
        if model_type == "gpt2" and config.get("n_inner") is not None:
            given["inner_dim"] = _number(folder, config, "n_inner")
        return GPT(norm="pre" if model_type == "gpt2" else "post", **given)
    except UsageError as error:
        raise FirthError(f"{printable(str(folder))}: its config.json describes no network: {error}") from None


def _check_same(folder: Path, config: Mapping[str, Any], due: Mapping[str, Any]) -> None:
    """Raises FirthError where config.json asks for what our networks do not do."""
    for name, value in due.items():
        if config.get(name, value) != value:
            raise FirthError(
                f"{printable(str(folder))}: its config.json says {name} is {printable(str(config[name]))}; "
                f"firth's networks know {value} alone"
            )


def _number(folder: Path, config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if type(value) is not int or value < 1:
        raise FirthError(
            f"{printable(str(folder))}: its config.json says {name} is {printable(str(value))}; "
            "it must be a whole number, at least 1"
        )
    return value


def _activation(
    folder: Path, config: Mapping[str, Any], name: str, default: str, known: Mapping[str, Activation]
) -> Activation:
    value = config.get(name, default)
    if not isinstance(value, str) or value not in known:
        raise FirthError(
            f"{printable(str(folder))}: its config.json says {name} is {printable(str(value))!r}; "
            f"known are {', '.join(known)}"
        )
    return known[value]


def _name_of(activation: Activation, known: Mapping[str, Activation]) -> str:
    return next(name for name, ours in known.items() if ours == activation)


def _stored(folder: Path) -> dict[str, Tensor]:
    """The tensors of a directory, mapped into memory; a model in several files has an index of them."""
    index = folder / f"{WEIGHTS}.index.json"
    if (folder / WEIGHTS).is_file():
        return _tensors(folder / WEIGHTS)
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
            paths = [folder / Path(name).name for name in names]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FirthError(f"{printable(str(index))} is no index: {printable(str(error))}") from None
        return {name: tensor for path in paths for name, tensor in _tensors(path).items()}
    pickle = next((name for name in _PICKLES if (folder / name).is_file()), None)
    if pickle is not None:
        raise FirthError(
            f"{printable(str(folder))} has its weights in {pickle} alone, and firth reads {WEIGHTS} alone: reading a "
            "pickle runs what its author put in it. Where you trust the author, let transformers convert it: "
            "AutoModelForPreTraining.from_pretrained(OLD).save_pretrained(NEW), and the same with AutoTokenizer"
        )
    raise FirthError(f"{printable(str(folder))} has no {WEIGHTS}, the file of the weights")


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise FirthError(
            f"{printable(str(path))} is not a whole safetensors file: {_where_cut(path) or printable(str(error))}"
        ) from None


def _where_cut(path: Path) -> str | None:
    """Which tensor a file that was cut off ends in, if its header is whole."""
    try:
        with path.open("rb") as file:
            n_header_bytes = int.from_bytes(file.read(8), "little")
            n_bytes = path.stat().st_size
            header = json.loads(file.read(n_header_bytes if n_header_bytes < n_bytes else 0))
        header.pop("__metadata__", None)
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"][1]):
            if 8 + n_header_bytes + entry["data_offsets"][1] > n_bytes:
                return f"it ends within {printable(str(name))}, which should be {tuple(entry['shape'])}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        pass
    return None
