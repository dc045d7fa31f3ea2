import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from commands import Run

from firth import comparison, jobs, sets
from firth.cli.comparing import command_line, headline
from firth.comparison_report import figures
from firth.errors import FirthError

REPORT: dict[str, Any] = {
    "missing": ["glove, seed 1 was left out: too few words"],
    "variants": [{"name": "cbow"}, {"name": "random"}],
    "runs": [{"variant": "cbow", "seconds": {"train": 1.25}}],
    "best_layers": [
        {"variant": "cbow", "set": "ws", "method": None, "kind": "similarity", "measure": "spearman", "score": 0.5},
        {"variant": "random", "set": "ws", "method": None, "kind": "similarity", "measure": "spearman", "score": 0.0},
    ],
    "scores": [
        {"variant": "cbow", "set": "sst2", "method": "features", "kind": "use", "measure": "accuracy", "score": 0.8}
    ],
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command calls `firth.compare` with."""
    given: dict[str, Any] = {}

    def compare(corpus: Any, families: Any, **how: Any) -> Any:
        given.update(how, corpus=corpus, families=families)
        return SimpleNamespace(report=REPORT, answer="cbow is best.", page=Path("report.html"), folder=Path())

    monkeypatch.setattr(comparison, "compare", compare)
    return given


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "corpus.txt").write_text("the cat and the dog eat grass\n\n" * 50, encoding="utf-8")
    return tmp_path / "corpus.txt"


def test_flags_are_the_arguments_of_the_function(run: Run, asked: dict[str, Any], corpus: Path) -> None:
    status, out, err = run(
        "compare", str(corpus), "--families", "cbow,bert:preset=tiny", "--minutes", "2", "--seeds", "3",
        "--with", "hf:org/name", "--with", "b.txt", "--sets", "wordsim353, men", "--pairs", "a.tsv,b.tsv",
        "--neighbours", "cat,dog", "--trials", "2", "-o", "report", "--quiet",
    )  # fmt: skip
    assert status == 0, err
    assert [variant.name for variant in asked["families"]] == ["cbow", "bert:preset=tiny"]
    assert (asked["minutes"], asked["seeds"], asked["trials"]) == (2.0, 3, 2)
    assert asked["published"] == ("hf:org/name", "b.txt")
    assert asked["sets"] == ["wordsim353", "men"]
    assert [str(path) for path in asked["pairs"]] == ["a.tsv", "b.tsv"]
    assert asked["neighbours"] == ["cat", "dog"]
    assert "cbow is best." in out
    assert "glove, seed 1 was left out" in err
    assert "report.html" in err


def test_a_file_of_settings_lists_variants_and_flags_win(
    run: Run,
    asked: dict[str, Any],
    corpus: Path,
    tmp_path: Path,
) -> None:
    config = tmp_path / "families.toml"
    config.write_text('minutes = 9\nseeds = 2\n[[variant]]\nfamily = "skipgram"\nname = "wide"\nwindow = 10\n')
    status, _, err = run("compare", str(corpus), "--config", str(config), "--words", "1e6", "-o", "report", "--quiet")
    assert status == 0, err
    assert [variant.name for variant in asked["families"]] == ["wide"]
    assert (asked["minutes"], asked["words"], asked["seeds"]) == (None, 1e6, 2)


def named(asked: dict[str, Any]) -> list[str]:
    return [variant.name for variant in asked["families"]]


def test_all_families_are_compared_unless_some_are_named(run: Run, asked: dict[str, Any], corpus: Path) -> None:
    assert run("compare", str(corpus), "-o", "report", "--quiet")[0] == 0
    assert named(asked) == ["cbow", "skipgram", "glove", "elmo", "gpt", "bert"]


@pytest.mark.parametrize(
    ("flags", "due"),
    [
        ((), ["cbow", "skipgram:window=10,dim=50", "bert:preset=tiny", "wide"]),
        (("--families", "glove"), ["glove", "wide"]),
    ],
)
def test_families_and_variants_of_a_file_are_compared_together(
    flags: tuple[str, ...], due: list[str], run: Run, asked: dict[str, Any], corpus: Path, tmp_path: Path
) -> None:
    config = tmp_path / "families.toml"
    config.write_text(
        'families = ["cbow", "skipgram:window=10,dim=50", "bert:preset=tiny"]\n'
        '[[variant]]\nfamily = "skipgram"\nname = "wide"\nwindow = 10\n'
    )
    status, _, err = run("compare", str(corpus), "--config", str(config), "-o", "report", "--quiet", *flags)
    assert status == 0, err
    assert named(asked) == due


def test_families_are_those_of_a_file_that_is_named_among_them(
    run: Run, asked: dict[str, Any], corpus: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('families = "elmo"\n[[variant]]\nfamily = "gpt"\nname = "small"\npreset = "tiny"\n')
    assert run("compare", str(corpus), "--families", f"cbow,{file}", "-o", "report", "--quiet")[0] == 0
    assert named(asked) == ["cbow", "elmo", "small"]
    file.write_text("minutes = 3\n")
    status, _, err = run("compare", str(corpus), "--families", str(file), "-o", "report", "--quiet")
    assert status == 2
    assert "minutes is no variant" in err


def test_lists_of_a_file_are_lists_whatever_their_items_hold(
    run: Run, asked: dict[str, Any], corpus: Path, tmp_path: Path
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(
        'with = ["a,b.txt", "c.txt"]\ntask = ["tag=a,b,c", "pair=d,e,f"]\npairs = ["x,y.tsv"]\nsets = "men, google"\n'
        'neighbours = ["cat", "1,000"]\n'
    )
    status, _, err = run("compare", str(corpus), "--config", str(config), "-o", "report", "--quiet")
    assert status == 0, err
    assert asked["published"] == ("a,b.txt", "c.txt")
    assert asked["tasks"] == ("tag=a,b,c", "pair=d,e,f")
    assert [str(path) for path in asked["pairs"]] == ["x,y.tsv"]
    assert asked["sets"] == ["men", "google"]
    assert asked["neighbours"] == ["cat", "1,000"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("minutes = [1, 2]", "minutes is a list"),
        ("minutes = ", "cannot be read"),
        ('[variant]\nfamily = "cbow"', "tables"),
        ("widow = 3", "widow"),
    ],
)
def test_a_file_that_is_wrong_is_named(
    text: str,
    said: str,
    run: Run,
    asked: dict[str, Any],
    corpus: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "wrong.toml").write_text(text)
    status, _, err = run("compare", str(corpus), "--config", str(tmp_path / "wrong.toml"), "-o", "report")
    assert status == 2
    assert said in err


def test_a_dry_run_prints_the_plan_and_writes_nothing(run: Run, corpus: Path, tmp_path: Path) -> None:
    status, out, err = run(
        "compare", str(corpus), "--families", "cbow,glove", "--minutes", "2", "--dry-run",
        "-o", str(tmp_path / "report"), "--cache-dir", str(tmp_path / "cache"), "--quiet",
    )  # fmt: skip
    assert status == 0, err
    assert [line.split("\t")[0] for line in out.splitlines()] == ["variant", "cbow", "glove"]
    assert "minutes" in err
    assert "MB" in err
    assert not (tmp_path / "report").exists()


def test_the_numbers_are_json_where_asked(run: Run, asked: dict[str, Any], corpus: Path) -> None:
    status, out, _ = run("compare", str(corpus), "-o", "report", "--json", "--quiet")
    assert status == 0
    assert json.loads(out)["variants"] == REPORT["variants"]


def test_a_row_for_each_variant_with_its_scores() -> None:
    found = headline(SimpleNamespace(report=REPORT))  # type: ignore[arg-type]
    assert [row["variant"] for row in found] == ["cbow", "random"]
    assert found[0]["ws"] == 0.5
    assert found[0]["sst2 features"] == 0.8
    assert found[1]["ws"] == 0.0
    assert found[1]["sst2 features"] == "-"


def test_the_command_is_told_without_folders_and_what_changes_nothing(tmp_path: Path) -> None:
    given = [
        "compare",
        str(tmp_path / "a b.txt"),
        "--resume",
        "--stop-after",
        "60",
        "--stop-after=5",
        "--pairs",
        f"{tmp_path}/x.tsv,{tmp_path}/y.tsv",
        "--quiet",
    ]
    assert command_line(given) == "firth compare 'a b.txt' --pairs x.tsv,y.tsv"


def test_without_a_corpus_it_is_said(run: Run, asked: dict[str, Any]) -> None:
    status, _, err = run("compare", "-o", "report")
    assert status == 2
    assert "no corpus was given" in err


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of a server that has nothing; a set `royal` lies there, and nothing else is known."""
    for name in (sets.FOLDER, *sets.OFFLINE, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/royal.tsv"
        known = sets.Set(
            name="royal", kind="similarity", language="en", title="Two pairs", files=("royal.tsv",), sha256={},
            address=address, page="https://example.org/royal",
        )  # fmt: skip
        monkeypatch.setattr(sets, "KNOWN", (known,))
        monkeypatch.setattr(comparison, "DEFAULT_SETS", ("royal",))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield address
        server.shutdown()
        thread.join()


def test_a_set_that_is_asked_for_and_cannot_be_fetched_ends_it_before_the_work(
    run: Run, corpus: Path, elsewhere: str, tmp_path: Path
) -> None:
    status, _, err = run(
        "compare", str(corpus), "--families", "cbow:dim=8", "--words", "1e4", "--sets", "royal", "--quiet",
        "-o", str(tmp_path / "report"), "--cache-dir", str(tmp_path / "cache"),
    )  # fmt: skip
    assert status == 1
    assert f"royal cannot be fetched from {elsewhere}" in err
    assert "--sets-from FOLDER" in err
    assert not (tmp_path / "report").exists()


def test_a_set_that_nobody_asked_for_is_left_out_and_said(
    run: Run, corpus: Path, elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def divide(*_: Any, **__: Any) -> Any:
        raise FirthError("as far as this")

    monkeypatch.setattr(comparison, "divide", divide)
    status, _, err = run("compare", str(corpus), "-o", str(tmp_path / "report"), "--cache-dir", str(tmp_path / "cache"))
    assert status == 1
    assert "royal is left out: royal is not on this machine" in err
    assert err.index("left out") < err.index("as far as this")


# --- all of it

ANIMALS = ("cat", "dog", "horse", "mouse", "cow")
METALS = ("gold", "iron", "copper", "silver", "tin")
NETWORKS = ("bert:preset=tiny", "elmo:preset=tiny", "gpt:preset=tiny")
EXAMPLES: dict[str, Callable[[str, str], str]] = {
    "tags": lambda animal, metal: f"the DET\n{animal} NOUN\neats VERB\n{metal} NOUN\n\n",
    "kinds": lambda animal, metal: f"the {animal} eats grass\tanimal\nthey melt {metal} quickly\tmetal\n",
}


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, two tasks, pairs of words, and pairs of words in sentences as SCWS was published."""
    folder = tmp_path_factory.mktemp("things")
    lines = [
        line
        for number in range(400)
        for line in (
            f"the {ANIMALS[number % 5]} and the {ANIMALS[(number + 1) % 5]} eat grass in the field",
            f"they melt {METALS[number % 5]} with {METALS[(number + 2) % 5]} in a hot furnace",
            "",
        )
    ]
    (folder / "corpus.txt").write_text("\n".join(lines), encoding="utf-8")
    for name, made in EXAMPLES.items():
        (folder / name).mkdir()
        for part, seed in (("train", 0), ("dev", 1), ("test", 2)):
            head = "text\tlabel\n" if name == "kinds" else ""
            text = "".join(made(ANIMALS[n % 5], METALS[(n + seed) % 5]) for n in range(10))
            (folder / name / f"{part}.tsv").write_text(head + text, encoding="utf-8")
    pairs = [(one, other) for names in (ANIMALS, METALS) for one, other in pairwise(names)]
    pairs += list(zip(ANIMALS, METALS, strict=True))
    scored = [(one, other, 9 - 0.1 * n if n < 8 else 1 + 0.1 * n) for n, (one, other) in enumerate(pairs)]
    (folder / "pairs.tsv").write_text("".join(f"{one}\t{other}\t{score}\n" for one, other, score in scored))
    (folder / "scws").mkdir()
    rows = [
        f"{n}\t{one}\tn\t{other}\tn\tthe <b> {one} </b> and grass\tthey melt <b> {other} </b> in the field\t"
        + "\t".join([str(score)] * 11)
        for n, (one, other, score) in enumerate(scored, start=1)
    ]
    (folder / "scws" / "ratings.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_networks_are_compared_in_all_that_is_measured(
    run: Run, things: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(job: Any, *_: object) -> Any:
        """The work is done in this process, which spares loading torch for each piece; JSON it becomes all the same."""
        return json.loads(json.dumps(jobs.done(json.loads(json.dumps(job)))))

    monkeypatch.setattr(jobs, "run", here)
    monkeypatch.setattr(figures, "draw", lambda *_: figures.Drawn([], []))  # which have tests of their own
    tasks = [
        f"{kind}=" + ",".join(str(things / name / f"{part}.tsv") for part in ("train", "dev", "test"))
        for kind, name in (("tag", "tags"), ("classify", "kinds"))
    ]
    status, out, err = run(
        "compare", str(things / "corpus.txt"), "--families", ",".join((*NETWORKS, "skipgram:dim=16")),
        "--minutes", "0.03", "--pairs", str(things / "pairs.tsv"), "--sets", "scws", "--sets-from", str(things),
        "--task", tasks[0], "--task", tasks[1], "--threads", "2", "--limit", "10", "--neighbours", "cat", "--quiet",
        "-o", str(tmp_path / "report"), "--cache-dir", str(tmp_path / "cache"),
    )  # fmt: skip
    assert status == 0, err
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert [run["failed"] for run in report["runs"]] == [None] * 4, report["missing"]
    assert report["missing"] == []
    of_kind: dict[str, dict[tuple[str, str], set[str]]] = {}
    for one in report["scores"]:
        assert one["score"] is not None, one
        of_kind.setdefault(one["kind"], {}).setdefault((one["set"], one["method"] or ""), set()).add(one["variant"])
    trained = {*NETWORKS, "skipgram:dim=16"}
    assert of_kind["similarity"] == {("pairs", ""): trained | {"random"}}
    assert of_kind["probe"] == {(task, ""): trained | {"random"} for task in EXAMPLES}
    assert of_kind["use"] == {
        (task, use): trained | {"random"} for task in EXAMPLES for use in ("features", "finetune")
    }
    assert {("scws", method) for method in ("globalsim", "avgsim", "avgsimc", "localsim")} == of_kind["context"].keys()
    assert trained <= of_kind["context"]["scws", "globalsim"]
    assert set(NETWORKS) <= of_kind["context"]["scws", "localsim"]
    (of_language,) = of_kind["language"].values()
    assert of_language == set(NETWORKS)
    layers = {one["name"]: one["n_layers"] for one in report["variants"]}
    assert [layers[name] for name in NETWORKS] == [3, 3, 3]
    uses = [one for one in report["differences"] if one["kind"] == "use"]
    assert {(one["set"], one["method"]) for one in uses} == {
        (task, use) for task in EXAMPLES for use in ("features", "finetune")
    }
    assert "tagging, with the vectors as they are" in out
    assert "classifying texts, fine-tuned" in out
    assert (tmp_path / "report" / "report.html").is_file()
