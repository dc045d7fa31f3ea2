"""A head in a directory as transformers has it: AutoModelForSequenceClassification, AutoModelForTokenClassification.

A linear head stands in model.safetensors as `classifier`, of GPT's texts as `score`, and config.json names the labels.
Other heads have no place there; of them the directory is a network without a head.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file

from firth.files import replacing
from firth.formats.huggingface import WEIGHTS

_CLASSES: Final = {
    ("bert", False): "BertForSequenceClassification",
    ("bert", True): "BertForTokenClassification",
    ("gpt2", False): "GPT2ForSequenceClassification",
    ("gpt2", True): "GPT2ForTokenClassification",
    ("openai-gpt", False): "OpenAIGPTForSequenceClassification",
}


def write(
    folder: Path,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    labels: Sequence[str],
    tags: bool,
    pad: str,
) -> bool:
    """Adds a linear head to the directory of a network; returns whether transformers has a class for it.

    Args:
        folder: Of BERT or GPT, as `firth.formats.huggingface.write` leaves it.
        weight: (N, D).
        bias: (N,) or None.
        labels: N of them; none where a number is answered.
        tags: Whether each piece is answered to, or the text.
        pad: The piece that GPT's texts of a batch are filled up with; no text may end with it.
    """
    config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    name = _CLASSES.get((config["model_type"], tags))
    if name is None or (bias is None) != (config["model_type"] != "bert" and not tags):
        return False
    tensors = load_file(folder / WEIGHTS)
    kept = {key: tensor for key, tensor in tensors.items() if not key.startswith("cls.")}
    if tags:
        kept = {key: tensor for key, tensor in kept.items() if not key.startswith("bert.pooler.")}
    of_head = "score" if bias is None else "classifier"
    kept[f"{of_head}.weight"] = weight.detach().float().cpu().contiguous()
    if bias is not None:
        kept[f"{of_head}.bias"] = bias.detach().float().cpu().contiguous()
    beside = folder / f".{WEIGHTS}.part"
    save_file(kept, beside, {"format": "pt"})
    os.replace(beside, folder / WEIGHTS)
    config["architectures"] = [name]
    numbered = dict(enumerate(labels)) if labels else {0: "LABEL_0"}
    config["id2label"] = {str(number): label for number, label in numbered.items()}
    config["label2id"] = {label: number for number, label in numbered.items()}
    if not tags:
        config["problem_type"] = "single_label_classification" if labels else "regression"
    if config["model_type"] != "bert":
        _set_pad(folder, config, pad)
    with replacing(folder / "config.json") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")
    return True


def _set_pad(folder: Path, config: dict[str, Any], pad: str) -> None:
    """Says what texts are filled up with, in the tokenizer's settings too."""
    told = json.loads((folder / "tokenizer.json").read_bytes())
    config["pad_token_id"] = next(entry["id"] for entry in told["added_tokens"] if entry["content"] == pad)
    settings = json.loads((folder / "tokenizer_config.json").read_bytes())
    with replacing(folder / "tokenizer_config.json") as file:
        json.dump(settings | {"pad_token": pad}, file, indent=2, ensure_ascii=False)
        file.write("\n")
