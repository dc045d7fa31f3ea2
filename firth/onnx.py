"""BERT and GPT with a head as a graph in ONNX, which onnxruntime and others run without PyTorch.

The graph reads pieces by their ids, as the tokenizer that is saved with the model makes them (`tokenizer.json`), any
number of rows of any length up to the network's, padded behind their end:

    input_ids       (B, T) int64
    attention_mask  (B, T) int64, 1 where a piece is and 0 behind
    token_type_ids  (B, T) int64, of BERT's pairs alone: 0 of the first text, 1 of the second
    other_ids, other_mask: of GPT's pairs that are read in both orders, the second text before the first

    logits          (B, N) of labels; (B, 1) the number that is answered; of tags (B, T, N), of each piece

The labels' names, the ids that pad and the longest row stand in the file's metadata.
"""

import copy
import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from firth.bodies import START, Blocks
from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.finetuned import Finetuned, load_finetuned
from firth.heads import BiLSTM

OPSET: Final = 18
TOLERANCE: Final = 1e-3
"""How far the graph's logits may lie from those of PyTorch, in parts of the largest, before it is refused."""


def to_onnx(
    model: Finetuned | str | os.PathLike[str], path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """The file that was written: a network with its head, in ONNX; its answers were compared with PyTorch's.

    Args:
        model: What `firth.finetune` gave with `use="finetune"`, of BERT or GPT, or its directory.
        path: The file.
        overwrite: Whether it may be replaced.

    Raises:
        UsageError: it exists; the model is none of these; a head that has no graph (of tags all but linear and mlp, of
            texts bilstm).
        FirthError: the extra `onnx` is not installed, or the graph answers otherwise than the model.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise UsageError(f"{printable(str(path))} exists; choose another place, or overwrite it")
    made = model if isinstance(model, Finetuned) else load_finetuned(model)
    _check(made)
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 # which PyTorch asks for
    except ImportError as error:
        package = printable(str(error.name))
        raise FirthError(f"ONNX needs {package}, which is not installed: pip install 'firth[onnx]'") from None
    body: Any = made.network.body
    graph = _Graph(made).eval()
    given = _example(body, made.tuning.task, n_rows=2, longest=7)
    rows = torch.export.Dim("rows")
    columns = torch.export.Dim("columns", min=2, max=body.capacity)
    shapes = {name: {0: rows, 1: columns} for name in given}
    tensors = {name: torch.from_numpy(array) for name, array in given.items()}
    with _quietly(), torch.no_grad():
        program: Any = torch.onnx.export(
            graph,
            kwargs=tensors,
            input_names=list(given),
            output_names=["logits"],
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    proto = program.model_proto
    for name, value in _told(made).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = name, value
    onnx.checker.check_model(proto)
    data = proto.SerializeToString()
    _compare(onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]), graph, body, made.tuning.task)
    with replacing(path, "wb") as file:
        file.write(data)
    return path


class _Graph(nn.Module):
    """What the file computes."""

    def __init__(self, made: Finetuned) -> None:
        super().__init__()
        self.network, self.tags = copy.copy(made.network), made.tuning.task == "tag"
        self.network.reads_first = False  # a shape of its own for each number of columns, which graphs do not have
        self.centre, self.spread = 0.0, 1.0
        if made.tuning.is_regression:
            self.centre, self.spread = float(made.record["centre"]), float(made.record["spread"])

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        other_ids: Tensor | None = None,
        other_mask: Tensor | None = None,
    ) -> Tensor:
        """The logits; see the module."""
        network = self.network
        states, is_real, _ = network.states(input_ids, attention_mask.sum(1), token_type_ids, None, None)
        if not self.tags:
            states = network.text(states, is_real)
            if other_ids is not None and other_mask is not None:
                others, other_is_real, _ = network.states(other_ids, other_mask.sum(1), None, None, None)
                states = states + network.text(others, other_is_real)
        scores: Tensor = network.scores(states)
        return scores * self.spread + self.centre


def _check(made: Finetuned) -> None:
    """Refuses what has no graph."""
    body, head, task = made.network.body, made.tuning.head, made.tuning.task
    if not isinstance(body, Blocks):
        raise UsageError(
            f"ONNX is of BERT and GPT that were trained with a head (--use finetune); this head stands on {body.name}"
            f"{', as features' if made.use == 'features' else ''}"
        )
    if task == "tag" and (made.network.encoder is not None or made.network.crf is not None):
        raise UsageError(
            f"of tags, ONNX is of heads that look at each piece alone, linear and mlp; {head} looks at several words"
        )
    if isinstance(made.network.encoder, BiLSTM):
        raise UsageError("ONNX is of heads linear, mlp and cnn; a bilstm has no graph here")


def _example(body: Blocks, task: str, *, n_rows: int, longest: int) -> dict[str, NDArray[np.int64]]:
    """Rows of pieces as the graph takes them, each one shorter than the one before."""
    rng = np.random.default_rng(longest)
    longest = min(longest, body.capacity)
    lengths = np.maximum(longest - np.arange(n_rows), 1)
    is_real = np.arange(longest) < lengths[:, None]
    ids = rng.integers(0, body.pieces.n_entries, (n_rows, longest))
    found = {"input_ids": np.where(is_real, ids, 0), "attention_mask": is_real.astype(np.int64)}
    if body.is_bert and task == "pair":
        found["token_type_ids"] = ((np.arange(longest) >= longest // 2) & is_real).astype(np.int64)
    if body.orders == "both" and task == "pair":
        found |= {"other_ids": found["input_ids"].copy(), "other_mask": found["attention_mask"].copy()}
    return found


def _compare(session: Any, graph: nn.Module, body: Blocks, task: str) -> None:
    """Refuses a graph that answers otherwise than PyTorch does.

    Raises:
        FirthError: it does.
    """
    for n_rows, longest in ((1, 3), (3, 17), (2, body.capacity)):
        given = _example(body, task, n_rows=n_rows, longest=longest)
        with torch.no_grad():
            due = graph(**{name: torch.from_numpy(array) for name, array in given.items()}).numpy()
        (found,) = session.run(None, given)
        apart = float(np.abs(found - due).max()) / max(1e-6, float(np.abs(due).max()))
        if found.shape != due.shape or not apart <= TOLERANCE:
            raise FirthError(
                f"the graph answers otherwise than the model does ({apart:.1e} of the largest score apart, of texts "
                f"of {longest} pieces); it was not written"
            )


def _told(made: Finetuned) -> Mapping[str, str]:
    """What the file says of itself."""
    body: Any = made.network.body
    pad = 0 if body.is_bert else body.pieces.backend.token_to_id(START)
    return {
        "task": made.tuning.task,
        "labels": json.dumps(list(made.labels), ensure_ascii=False),
        "pad_id": str(pad),
        "longest": str(body.capacity),
        "producer": "firth",
    }


@contextmanager
def _quietly() -> Iterator[None]:
    """Holds back what the exporter says of itself."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
