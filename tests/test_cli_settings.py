"""`firth train` and `firth check`: what flags, a file of settings, presets and recipes ask for."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from commands import ENGLISH, Run

from firth import model, training
from firth.cli.settings import FAMILIES, Preset
from firth.families.cbow import CBOW
from firth.families.family import GENSIM_NAMES
from firth.families.glove import GloVe
from firth.families.skipgram import Skipgram
from firth.preparation import Preparation

# --- gensim's names


@pytest.mark.parametrize("name", ["vector_size", "negative", "alpha", "workers", "size", "iter", "sg", "hs"])
def test_gensims_flags_are_answered_with_ours(run: Run, name: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    expected = f"firth: {name} is called {GENSIM_NAMES[name]} here\n"
    for arguments in ([flag, "1"], [f"{flag}=1"], ["-o", "out", flag, "1"]):
        assert run("train", "skipgram", "corpus.txt", *arguments) == (2, "", expected)


def test_gensims_names_in_a_file_are_answered_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("vector_size = 100\n", encoding="utf-8")
    status, _, err = run("train", "skipgram", "corpus.txt", "-o", "out", "--config", "settings.toml")
    assert (status, err) == (2, "firth: vector_size is called dim here\n")


# --- train: what a flag, a file, a preset and a recipe say


@pytest.fixture
def trained(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """What `firth train skipgram` with these flags, and this text as settings.toml, asks `train` for."""
    asked: list[tuple[Any, dict[str, Any]]] = []

    def train(family: Any, corpus: object, **keywords: Any) -> SimpleNamespace:
        asked.append((family, keywords | {"corpus": corpus}))
        record = {"loss_nats": 2.5, "spent": {"seconds": 2.0, "tokens": 500}}
        return SimpleNamespace(vocabulary=ENGLISH, pieces=SimpleNamespace(n_entries=7), record=record)

    monkeypatch.setattr(training, "train", train)

    def trained(*flags: str, settings: str = "", family: str = "skipgram") -> tuple[Any, dict[str, Any]]:
        (tmp_path / "settings.toml").write_text(settings, encoding="utf-8")
        config = ["--config", "settings.toml"] if settings else []
        status, _, err = run("train", family, "a.txt", "b.txt", "-o", "out", *config, *flags)
        assert status == 0, err
        return asked[-1]

    return trained


def test_without_a_flag_the_family_is_as_it_is(trained: Callable[..., Any]) -> None:
    family, keywords = trained()
    assert family == Skipgram()
    assert trained(family="cbow")[0] == CBOW()
    assert keywords["corpus"] == (Path("a.txt"), Path("b.txt"))
    assert keywords["output"] == Path("out")
    assert keywords["seed"] == 1


@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_every_hyperparameter_of_a_network_is_a_flag_and_a_key_of_the_file(
    trained: Callable[..., Any], name: str
) -> None:
    pytest.importorskip("torch")
    family = model.FAMILIES[name]
    other = {"dim": 24, "n_layers": 3, "n_heads": 3, "inner_dim": 3072, "n_positions": 1024, "n_segments": 3}
    other |= {"norm": "pre", "activation": "relu", "norm_epsilon": 0.5, "deviation": 0.5, "dropout": 0.25}
    other |= {"attention_dropout": 0.25, "vocabulary_size": 256, "objective": "masked_token_and_next_sentence"}
    other |= {"masking_share": 0.25, "masking_units": "words", "short_share": 0.5, "context_length": 64}
    other |= {"batch_size": 7, "learning_rate": 0.5, "final_learning_rate": 0.0001, "warmup": 0.5, "schedule": "hold"}
    other |= {"adam": "uncorrected", "beta1": 0.5, "beta2": 0.5, "epsilon": 0.5, "weight_decay": 0.5, "clip": 0.5}
    other |= {"block_optimizer": "adam", "muon_rate": 0.5}
    for field in dataclasses.fields(family):  # type: ignore[arg-type]
        value = other[field.name]
        assert value != field.default
        given = {field.name: value} | ({"block_optimizer": "adam"} if field.name == "adam" else {})  # which it takes
        expected = dataclasses.replace(family(), **given)
        flags = [part for key, asked in given.items() for part in (f"--{key.replace('_', '-')}", str(asked))]
        assert trained(*flags, "--preset", "base", family=name)[0] == expected
        setting = "\n".join(f"{key} = {json.dumps(asked)}" for key, asked in {"preset": "base", **given}.items())
        assert trained(settings=setting, family=name)[0] == expected


def test_every_hyperparameter_of_elmo_is_a_flag_and_a_key_of_the_file(trained: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    family = model.FAMILIES["elmo"]
    other: dict[str, Any] = {"dim": 24, "cell_dim": 4000, "n_layers": 3, "character_dim": 3, "n_highway": 1}
    other |= {"filters": ((1, 8), (2, 16)), "activation": "tanh", "max_characters": 60, "cell_clip": 2.5}
    other |= {"projection_clip": 2.5, "residual": False, "lstm": "library", "objective": "full", "negatives": 99}
    other |= {"max_size": 99, "min_count": 7, "directions": "independent", "dropout": 0.25, "context_length": 64}
    other |= {"batch_size": 7, "learning_rate": 0.5, "final_learning_rate": 0.0001, "warmup": 0.5, "schedule": "hold"}
    other |= {"warmup_steps": 7}
    other |= {"beta1": 0.5, "beta2": 0.5, "epsilon": 0.5, "weight_decay": 0.5, "clip": 0.5, "muon_rate": 0.5}
    other |= {"block_optimizer": "adagrad" if family().block_optimizer != "adagrad" else "adam"}
    unclipped: dict[str, Any] = {"cell_clip": None, "projection_clip": None}  # which the library takes
    for field in dataclasses.fields(family):  # type: ignore[arg-type]
        value = other[field.name]
        assert value != field.default
        given = {field.name: value} | (unclipped if field.name == "lstm" else {})
        flags: list[str] = []
        for key, asked in given.items():
            flag = f"--{key.replace('_', '-')}"
            if key == "filters":
                flags += [part for width, count in asked for part in (flag, str(width), str(count))]
            else:
                flags += ["--no-residual"] if key == "residual" else [flag, str(asked).lower()]
        expected = dataclasses.replace(family(), **given)
        assert trained(*flags, "--preset", "original", family="elmo")[0] == expected
        told = {"preset": "original"} | {key: "none" if asked is None else asked for key, asked in given.items()}
        setting = "\n".join(f"{key} = {json.dumps(asked)}" for key, asked in told.items())
        assert trained(settings=setting, family="elmo")[0] == expected
    assert trained(family="elmo")[0] == [
        getattr(family, name)() for name in ("tiny", "mini", "small", "medium", "original")
    ]
    assert trained("--cell-dim", "640", family="elmo")[0] == dataclasses.replace(family.original(), cell_dim=640)


def test_without_a_preset_the_sizes_of_a_network_are_for_the_budget_to_choose(trained: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    from firth.families.bert import BERT

    presets = [BERT.tiny(), BERT.mini(), BERT.small(), BERT.medium(), BERT.base()]
    assert trained(family="bert")[0] == presets
    slow = [preset.by_recipe("paper") for preset in presets]
    assert trained("--recipe", "paper", family="bert")[0] == slow
    assert trained("--learning-rate", "0.5", family="bert")[0] == [
        dataclasses.replace(preset, learning_rate=0.5) for preset in presets
    ]
    assert trained("--preset", "mini", family="bert")[0] == BERT.mini()
    assert trained(settings='preset = "mini"', family="bert")[0] == BERT.mini()
    assert trained("--preset", "mini", "--recipe", "paper", family="bert")[0] == BERT.mini().by_recipe("paper")
    # Whoever names a part of the size means the rest as it is by default.
    assert trained("--n-layers", "3", family="bert")[0] == BERT(n_layers=3)
    assert trained(settings="n_layers = 3", family="bert")[0] == BERT(n_layers=3)
    assert trained("--preset", "mini", "--n-layers", "3", family="bert")[0] == dataclasses.replace(
        BERT.mini(), n_layers=3
    )


def test_what_a_network_takes_besides(trained: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    flags = "--from base --add-words 20 --tokenizer vocab.txt --pieces byte_bpe --cleaning plain --device cpu"
    _, keywords = trained(*flags.split(), "--compile", "never", family="gpt")
    assert keywords["base"] == Path("base")
    assert keywords["tokenizer"] == Path("vocab.txt")
    due = {"add_words": 20, "pieces": "byte_bpe", "cleaning": "plain", "device": "cpu", "compile": "never"}
    assert {name: keywords[name] for name in due} == due


def test_every_hyperparameter_of_glove_is_a_flag_and_a_key_of_the_file(trained: Callable[..., Any]) -> None:
    other = {"dim": 7, "window": 3, "context": "left", "distance_weights": "equal", "x_max": 5.0, "clip": 2.0}
    other |= {"weight_exponent": 0.5, "result": "words", "min_count": 1, "max_size": 99, "learning_rate": 0.5}
    other |= {"final_learning_rate": 0.015625}
    assert other.keys() == {field.name for field in dataclasses.fields(GloVe)}  # type: ignore[arg-type]
    for name, value in other.items():
        expected = dataclasses.replace(GloVe(), **{name: value})  # type: ignore[type-var]
        assert trained(f"--{name.replace('_', '-')}", str(value), family="glove")[0] == expected
        assert trained(settings=f"{name} = {json.dumps(value)}", family="glove")[0] == expected
    _, keywords = trained("--counts", "one,two", "--memory", "0.5", family="glove")
    assert (keywords["counts"], keywords["memory"]) == ((Path("one"), Path("two")), 0.5)
    assert trained(family="glove")[1]["counts"] is None


@pytest.mark.parametrize("family", [Skipgram, CBOW])
def test_every_hyperparameter_is_a_flag_and_a_key_of_the_file(trained: Callable[..., Any], family: type) -> None:
    other = {"dim": 7, "min_count": 1, "max_size": 99, "block": 8, "noise_pool": 8, "window": 3, "negatives": 9}
    other |= {"noise_exponent": 0.5, "sample": 0.25, "learning_rate": 0.5, "final_learning_rate": 0.015625}
    other |= {"window_widths": "fixed", "objective": "hierarchical_softmax"}
    other |= {"subwords": "2-3", "buckets": 500, "hashes": 2}
    other |= {"combine": "sum", "context_gradient": "divided"} if family is CBOW else {}
    assert other.keys() == {field.name for field in dataclasses.fields(family)}
    for name, value in other.items():
        expected = dataclasses.replace(family(), **{name: value})
        flag = f"--{name.replace('_', '-')}"
        assert trained(flag, str(value), family=family.name)[0] == expected  # type: ignore[attr-defined]
        setting = f"{name} = {json.dumps(value)}"
        assert trained(settings=setting, family=family.name)[0] == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("flags", "settings", "dim"),
    [
        ((), "", 100),
        (("--dim", "7"), "dim = 8", 7),
        (("--dim", "7", "--preset", "base"), "", 7),
        (("--dim", "100", "--preset", "base"), "", 100),
        (("--dim", "7", "--recipe", "paper"), "", 7),
        (("--preset", "base"), "dim = 8", 8),
        (("--recipe", "paper"), "dim = 8", 8),
        ((), 'dim = 8\npreset = "base"', 8),
        (("--preset", "medium"), 'preset = "base"', 200),
        (("--preset", "base"), "", 300),
        (("--recipe", "paper"), "", 300),
        (("--recipe", "fast"), "", 100),
        ((), 'preset = "base"', 300),
        ((), 'recipe = "paper"', 300),
        (("--preset", "tiny", "--recipe", "paper"), "", 32),
        (("--recipe", "paper", "--preset", "small"), "", 100),
        (("--recipe", "paper"), 'preset = "small"', 100),
        (("--preset", "tiny"), 'recipe = "paper"', 32),
        (("--preset", "tiny", "--recipe", "fast"), "", 32),
        (("--preset", "tiny", "--recipe", "paper", "--dim", "7"), "", 7),
    ],
)
def test_a_flag_wins_over_the_file_the_file_over_presets_those_over_defaults(
    trained: Callable[..., Any], flags: tuple[str, ...], settings: str, dim: int
) -> None:
    assert trained(*flags, settings=settings)[0].dim == dim


@pytest.mark.parametrize("family", [Skipgram, CBOW])
@pytest.mark.parametrize("preset", [name for name in get_args(Preset) if name != "original"])  # ELMo's alone
def test_a_preset_is_the_size_and_a_recipe_the_rest(trained: Callable[..., Any], family: Any, preset: str) -> None:
    dim = getattr(family, preset)().dim
    assert trained("--preset", preset, family=family.name)[0] == getattr(family, preset)()
    both = trained("--preset", preset, "--recipe", "paper", family=family.name)[0]
    assert both == dataclasses.replace(family.paper(), dim=dim)


def test_the_common_flags_may_stand_in_the_file(trained: Callable[..., Any]) -> None:
    _, keywords = trained(
        "--seed", "3", settings='seed = 2\nminutes = 0.5\ncased = true\nsegment = "space"\nthreads = 2'
    )
    assert (keywords["seed"], keywords["minutes"], keywords["threads"]) == (3, 0.5, 2)
    assert keywords["preparation"] == Preparation(cased=True, segment="space")


def test_columns_to_keep_are_a_list_in_the_file_and_parted_by_commas_in_the_flag(trained: Callable[..., Any]) -> None:
    _, keywords = trained(settings='keep = ["year", "source"]')
    assert keywords["preparation"].keep == ("year", "source")
    _, keywords = trained("--keep", "year, source", "--keep", "place")
    assert keywords["preparation"].keep == ("year", "source", "place")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            ["--layout", "wrapped", "--sentences", "split", "--lang", "de"],
            {"layout": "wrapped", "sentences": "split", "lang": "de"},
        ),
        (
            ["--digits", "zero", "--simplified", "--unicode-form", "NFKC"],
            {"digits": "zero", "simplified": True, "unicode_form": "NFKC"},
        ),
        (["--inner", "'-"], {"inner": "'-"}),
        (["--cased", "--punctuation"], {"cased": True, "punctuation": True}),
        (["--no-cased", "--no-punctuation"], {"cased": False, "punctuation": False}),
        (
            ["--user-words", "words.txt", "--segment", "chinese"],
            {"user_words": Path("words.txt"), "segment": "chinese"},
        ),
        (["--phrases", "phrases.tsv"], {"phrases": Path("phrases.tsv")}),
        (["--drop-duplicates", "lines", "--max-types", "1000"], {"drop_duplicates": "lines", "max_types": 1000}),
        (
            ["--field", "body", "--keep-from-name", "(?P<year>[0-9]+)"],
            {"field": "body", "keep_from_name": "(?P<year>[0-9]+)"},
        ),
        (["--encoding", "gb18030", "--encoding-errors", "skip"], {"encoding": "gb18030", "encoding_errors": "skip"}),
    ],
)
def test_flags_make_the_preparation(trained: Callable[..., Any], flags: list[str], expected: dict[str, Any]) -> None:
    _, keywords = trained(*flags)
    assert keywords["preparation"] == Preparation(**expected)


def test_a_budget_by_flag_replaces_another_one_in_the_file(trained: Callable[..., Any]) -> None:
    _, keywords = trained("--minutes", "2", settings="epochs = 5")
    assert (keywords["epochs"], keywords["minutes"]) == (None, 2)


def test_the_remaining_flags_reach_train(trained: Callable[..., Any]) -> None:
    flags = ["--tokens", "1e6", "--from", "old", "--resume", "--overwrite", "--cased", "--encoding", "gb18030"]
    _, keywords = trained(*flags, "--cache-dir", "cache", "--quiet")
    assert keywords["tokens"] == 1_000_000
    assert (keywords["base"], keywords["cache_dir"]) == (Path("old"), Path("cache"))
    assert (keywords["resume"], keywords["overwrite"]) == (True, True)
    assert keywords["preparation"] == Preparation(cased=True, encoding="gb18030")
    assert type(keywords["progress"]).__name__ == "Silent"


def test_train_prints_what_became_of_it(run: Run, trained: Callable[..., Any]) -> None:
    del trained
    _, out, _ = run("train", "skipgram", "a.txt", "-o", "out", "--json")
    expected = {"model": "out", "words": 5, "loss_nats": 2.5, "seconds": 2.0, "tokens_per_second": 250}
    assert json.loads(out) == [expected]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("dim = ", "settings.toml"),
        ("widow = 3", "widow"),
        ('dim = "wide"', "dim"),
        ("dim = 3.5", "dim"),
        ('preset = "huge"', "huge"),
        ("dim = [1, 2]", "dim"),
        ("[skipgram]\ndim = 3", "skipgram"),
    ],
)
def test_a_faulty_file_of_settings_is_wrong_usage(run: Run, tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "settings.toml").write_text(settings, encoding="utf-8")
    status, _, err = run("train", "skipgram", "a.txt", "-o", "out", "--config", "settings.toml")
    assert status == 2
    assert said in err


def test_a_missing_file_of_settings_is_wrong_usage(run: Run) -> None:
    status, _, err = run("train", "skipgram", "a.txt", "-o", "out", "--config", "missing.toml")
    assert status == 2
    assert "missing.toml" in err


def test_check_takes_the_preparation_from_the_file_of_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("don't stop the Cat , or else .\n" * 50, encoding="utf-8")
    settings = 'dim = 4\nepochs = 2.5\npreset = "tiny"\nsegment = "space"\ncased = true\n'
    (tmp_path / "settings.toml").write_text(settings, encoding="utf-8")
    status, out, _ = run("check", "corpus.txt", "--config", "settings.toml", "--segment", "words", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["segment"] == "words"
    assert "--cased" in found["command"].split()
    assert found["command"].endswith(" --config settings.toml")
    status, out, _ = run("check", "corpus.txt", "--config", "settings.toml", "--json")
    assert json.loads(out)["segment"] == "space"


@pytest.mark.parametrize(
    ("settings", "said"),
    [("segmnt = 'space'", "segmnt is no setting"), ("segment = 'spcae'", "spcae"), ("=", "cannot be read")],
)
def test_check_refuses_a_faulty_file_of_settings(run: Run, tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "corpus.txt").write_text("a b c d\n" * 50, encoding="utf-8")
    (tmp_path / "settings.toml").write_text(settings, encoding="utf-8")
    status, _, err = run("check", "corpus.txt", "--config", "settings.toml")
    assert status == 2
    assert said in err


def test_the_families_of_the_command_line_are_those_that_a_model_may_be_of() -> None:
    assert FAMILIES.keys() == model.FAMILIES.keys()


def test_lists_in_a_toml_file_are_as_on_the_command_line(tmp_path: Path) -> None:
    from firth.cli.settings import read_toml

    (tmp_path / "settings.toml").write_text('drop = ["html", "urls"]\nkeep = ["year"]\n')
    assert read_toml(tmp_path / "settings.toml") == {"drop": "html,urls", "keep": "year"}
