"""firth pretrains word vectors from raw text: one process for every family, one matrix per layer.

Public names resolve when they are first used, so that `import firth` stays quick; `__init__.pyi` gives their types.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "BERT": "families.bert",
    "CBOW": "families.cbow",
    "Comparison": "comparison",
    "ELMo": "families.elmo",
    "FirthError": "errors",
    "GloVe": "families.glove",
    "GPT": "families.gpt",
    "Finetuned": "finetuned",
    "Examples": "tasks",
    "Inspection": "findings",
    "Model": "model",
    "Phrases": "phrases",
    "Preparation": "preparation",
    "Report": "budget",
    "Segmentation": "segmentation",
    "Skipgram": "families.skipgram",
    "UnknownWordError": "errors",
    "UsageError": "errors",
    "Vectors": "vectors",
    "Vocabulary": "vocabulary",
    "centre": "postprocessing",
    "change": "movement",
    "compare": "comparison",
    "check": "inspection",
    "convert": "conversion",
    "count": "shards",
    "demonstrate": "demonstration",
    "evaluate_analogies": "evaluation",
    "evaluate_categories": "groups",
    "evaluate_outliers": "groups",
    "evaluate_pairs": "evaluation",
    "evaluate_scws": "judgements",
    "evaluate_wic": "judgements",
    "extract": "extraction",
    "extract_to": "contexts",
    "find_senses": "senses",
    "finetune": "finetuning",
    "layers": "contextuality",
    "learn_phrases": "collocations",
    "load": "model",
    "load_finetuned": "finetuned",
    "matrices": "reduction",
    "normalise": "postprocessing",
    "postprocess": "postprocessing",
    "predict": "finetuned",
    "probe": "probing",
    "push": "publishing",
    "quantise": "postprocessing",
    "read_examples": "tasks",
    "read_extracted": "contexts",
    "to_onnx": "onnx",
    "to_sentence_transformers": "exports",
    "reduce_dim": "postprocessing",
    "remove_components": "postprocessing",
    "score": "scoring",
    "serve": "serving",
    "train": "training",
    "train_halves": "halves",
    "whiten": "postprocessing",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("firth")
    if name not in _HOMES:
        raise AttributeError(f"module 'firth' has no attribute {name!r}")
    try:
        return getattr(import_module(f"firth.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        from firth.errors import FirthError

        package = (error.name or "").partition(".")[0]
        if package not in ("torch", "tokenizers", "h5py"):
            raise
        needed = f"firth.{name} needs {package}, which is not installed: pip install 'firth[contextual]'"
        raise FirthError(needed) from None


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
