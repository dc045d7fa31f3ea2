"""Imports follow the flow of the data: a file imports only from files above it in this list."""

import ast
from pathlib import Path

import pytest

import firth

PACKAGE = Path(firth.__file__).parent
FLOW = [
    "errors",
    "files",
    "progress",
    "preparation",
    "scripts",
    "codepoints",
    "encodings",
    "faults",
    "containers",
    "decoding",
    "records",
    "sources",
    "layout",
    "stretches",
    "markup",
    "corpus",
    "userwords",
    "phrases",
    "segmentation",
    "cutting",
    "vocabulary",
    "counting",
    "tokens",
    "merges",
    "pieces",
    "lookup",
    "encoded",
    "joining",
    "cache",
    "collocations",
    "cooccurrences",
    "neighbours",
    "quantisation",
    "tiles",
    "kernels",
    "composition",
    "subwords",
    "windows",
    "sequences",
    "characters",
    "streams",
    "devices",
    "blocks",
    "recurrence",
    "fused",
    "objectives",
    "optimizers",
    "heads",
    "families",
    "families.family",
    "families.word2vec",
    "families.skipgram",
    "families.cbow",
    "families.glove",
    "families.gpt",
    "families.bert",
    "families.elmo",
    "formats",
    "formats.rows",
    "formats.decimals",
    "formats.lines",
    "formats.safetensors",
    "formats.word2vec",
    "formats.arrays",
    "formats.projector",
    "formats.parquet",
    "formats.fasttext",
    "formats.recognition",
    "formats.directory",
    "formats.huggingface",
    "formats.classification",
    "formats.elmo_hdf5",
    "formats.sentence_transformers",
    "significance",
    "clusters",
    "evaluation",
    "groups",
    "sets",
    "tables",
    "spans",
    "tasks",
    "scoring",
    "pages",
    "reporting",
    "embedding",
    "hub",
    "explanations",
    "queries",
    "lexicon",
    "index",
    "stack",
    "stored",
    "vectors",
    "measures",
    "postprocessing",
    "movement",
    "alignment",
    "packing",
    "readers",
    "parts",
    "formats.automodel",
    "model",
    "extraction",
    "foreign",
    "contexts",
    "occurrences",
    "reduction",
    "contextuality",
    "senses",
    "judgements",
    "probing",
    "vectorizers",
    "exports",
    "publishing",
    "budget",
    "hogwild",
    "memory",
    "batches",
    "runs",
    "descent",
    "speeds",
    "bodies",
    "tuning",
    "answering",
    "defaults",
    "outcomes",
    "settling",
    "finetuned",
    "finetuning",
    "estimators",
    "sklearn",
    "onnx",
    "conversion",
    "sizes",
    "bases",
    "terms",
    "texts",
    "static_training",
    "contextual_training",
    "training",
    "halves",
    "shards",
    "diagnosis",
    "findings",
    "duplicates",
    "paces",
    "reports",
    "advice",
    "inspection",
    "comparison_report.reading",
    "comparison_report.language",
    "comparison_report.standings",
    "comparison_report.answers",
    "comparison_report.pictures",
    "comparison_report.charts",
    "comparison_report.figures",
    "comparison_report.references",
    "comparison_report.paper",
    "comparison_report.sheets",
    "comparison_report.page",
    "comparison_report",
    "division",
    "variants",
    "plan",
    "language",
    "costs",
    "jobs",
    "ledger",
    "grades",
    "marking",
    "undertaking",
    "account",
    "comparison",
    "demonstration",
    "explorer",
    "explorer.translations",
    "explorer.caches",
    "explorer.faults",
    "explorer.spreadsheet",
    "explorer.security",
    "explorer.gate",
    "explorer.work",
    "explorer.pictures",
    "explorer.concordance",
    "explorer.shelf",
    "explorer.runs",
    "explorer.answers",
    "explorer.usages",
    "explorer.maps",
    "explorer.layers",
    "explorer.exploration",
    "explorer.schemas",
    "explorer.api",
    "explorer.pages",
    "explorer.app",
    "serving",
    "cli.printing",
    "cli.settings",
    "cli.tasks",
    "cli.training",
    "cli.use",
    "cli.evaluating",
    "cli.changing",
    "cli.learning",
    "cli.extracting",
    "cli.finetuning",
    "cli.reporting",
    "cli.reducing",
    "cli.sensing",
    "cli.probing",
    "cli.comparing",
    "cli.publishing",
    "cli.serving",
    "cli",
    "cli.__main__",
    "__main__",
]


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            found[name] = path
    return found


def imported(path: Path) -> set[str]:
    """The modules of firth that a file imports anywhere, in functions and under TYPE_CHECKING too."""
    known = modules()
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} imports relatively"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}".removeprefix("firth.")
                names.add(f"firth.{submodule}" if submodule in known else str(node.module))
    return {name.removeprefix("firth.") for name in names if name.startswith("firth.")}


def test_every_module_stands_in_the_flow() -> None:
    assert sorted(modules()) == sorted(FLOW)


@pytest.mark.parametrize("name", FLOW)
def test_a_module_imports_only_from_above(name: str) -> None:
    above = FLOW[: FLOW.index(name)]
    assert sorted(imported(modules()[name]) - set(above)) == []


def test_the_scan_sees_imports_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from firth.cli import main\n"
        "def f():\n    from firth import kernels\n    import firth.model\n"
    )
    assert imported(path) == {"cli", "kernels", "model"}
