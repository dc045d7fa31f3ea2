"""The documents do what they say: their blocks run, their links lead somewhere, their tables agree with the code."""

import importlib.util
import inspect
import json
import random
import re
import shlex
import sys
import textwrap
import warnings
from dataclasses import MISSING, fields
from pathlib import Path
from typing import NamedTuple

import pytest

import firth
from firth import cli, corpus, hogwild, tokens
from firth.budget import Budget
from firth.explanations import GENSIM_ARGUMENTS, GENSIM_ATTRIBUTES
from firth.families.family import GENSIM_NAMES

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TRANSLATIONS = {
    "README.zh.md": "README.md",
    "docs/guide.zh.md": "docs/guide.md",
    "docs/what-is-a-word-vector.zh.md": "docs/what-is-a-word-vector.md",
}
WITH_BLOCKS = ["README.md", "docs/guide.md", "docs/what-is-a-word-vector.md", "docs/from-gensim.md"]

HAS_GENSIM = importlib.util.find_spec("gensim") is not None
SET_UP = ("make ", "python3 -m venv ", "source ", "pip ", "uv ", "py ", ".venv\\Scripts\\Activate.ps1 ", "firth demo ")
"""Commands that set a machine up, or take minutes; `firth demo` has tests of its own."""

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(^|  )#.*$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    code: str
    place: str  # document:line of its first line
    line: int

    @property
    def programs(self) -> set[str]:
        """Whose it is, as a comment in its first line says; firth's if none does."""
        first_line = self.code.partition("\n")[0]
        marks = {"# gensim": {"gensim"}, "# gensim and firth": {"gensim", "firth"}}
        if self.language == "sh" and "gensim" in self.code:  # it reads what gensim has written
            return {"gensim"}
        return marks.get(first_line, {"firth"})


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text(encoding="utf-8")
    found = []
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 2
        found.append(Block(fence[1], fence[2], f"{document}:{line}", line))
    return found


@pytest.mark.parametrize("document", WITH_BLOCKS)
def test_the_blocks_of_a_document_run(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_files()
    names: dict[str, dict[str, object]] = {"firth": {}, "gensim": {}}  # the variables of each program's blocks
    ran = 0
    for block in blocks(document):
        for program in sorted(block.programs if HAS_GENSIM else block.programs - {"gensim"}):
            with warnings.catch_warnings():
                if program == "gensim":
                    warnings.simplefilter("ignore")  # its methods call what it deprecates
                run(block, names[program])
            ran += 1
    assert ran >= 3


def run(block: Block, names: dict[str, object]) -> None:
    if block.language == "python":
        code = "\n" * (block.line - 1) + block.code  # so that a traceback names the document's lines
        exec(compile(code, block.place, "exec"), names)
    elif block.language in ("sh", "powershell"):
        for command in block.code.splitlines():
            run_command(command, block.place)
    elif block.language == "toml":  # its first line names its file
        name = block.code.partition("\n")[0].removeprefix("# ")
        Path(name).write_text(block.code, encoding="utf-8")
    else:
        assert block.language == "text", f"{block.place}: blocks in {block.language} are not known here"


def run_command(command: str, place: str) -> None:
    if f"{command} ".startswith(SET_UP):
        return
    program, *arguments = shlex.split(command)
    if program == "python" and arguments[0] == "-c":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["-c", *arguments[2:]])
            exec(arguments[1], {})
    else:
        assert program == "firth", f"{place}: '{command}' neither runs here nor sets up"
        assert cli.main(arguments) == 0, f"{place}: {command}"


def write_files() -> None:
    """The files that the documents speak of, and the unfinished run that the guide goes on with."""
    files = {
        "corpus.txt": english(1),
        "more.txt": english(2) + "The prince and the princess live in the tower.\n" * 5,
        "chinese.txt": "我今天很开心。\n你今天开心吗？\n他昨天不开心，今天很高兴。\n" * 5,
        "segmented.txt": "我 今天 很 开心 。\n你 今天 开心 吗 ？\n" * 5,
        "pairs.tsv": "king\tqueen\t9\nman\twoman\t8\npalace\tcastle\t7\nking\tcapital\t2\n",
        "questions.txt": ": capitals\nparis france berlin germany\nberlin germany paris france\n"
        ": family\nking queen man woman\n",
        "outliers.txt": "king\nqueen\nman\n\npalace\nparis\n",
        "categories.tsv": "king\tperson\nqueen\tperson\npalace\tplace\ncastle\tplace\n",
    }
    for name in ("train", "test"):
        files[f"{name}.tsv"] = "label\ttext\n" + "people\tthe king and a girl\nplaces\tthe castle of france\n" * 5
    for name in ("train", "dev"):
        files[f"{name}.conll"] = "The DET\nking NOUN\nlive VERB\n\nParis PROPN\nis VERB\n\n" * 5
    files["page.html"] = "".join(f"<p>{line}</p>\n" for line in english(3).splitlines())
    paragraphs = (files["corpus.txt"][start : start + 2000] for start in range(0, 20_000, 2000))
    files["book.txt"] = "\n\n".join(map(textwrap.fill, paragraphs))
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    Path("texts").mkdir()
    for year in (1900, 1950):
        Path("texts", f"{year}.txt").write_text(english(year), encoding="utf-8")
    records = [{"body": english(year), "year": year} for year in (1900, 1950)]
    Path("texts.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    Path("gb18030.txt").write_text(files["chinese.txt"], encoding="gb18030")
    with tokens.encode(corpus.read("corpus.txt"), None, Path("encoded")) as encoded:
        budget = Budget(epochs=20)
        hogwild.Run.begin(firth.Skipgram(), encoded, budget, 1, 1, None).write(Path("long-run"))


def english(seed: int) -> str:
    """Some thousand words of English, of sentences that all are alike."""
    generator = random.Random(seed)
    people = ["king", "queen", "man", "woman", "boy", "girl"]
    places = ["palace", "castle", "house", "garden"]
    countries = {"paris": "france", "berlin": "germany", "rome": "italy", "madrid": "spain"}
    sentences = []
    for _ in range(300):
        first, second = generator.sample(people, 2)
        city = generator.choice(list(countries))
        sentences.append(f"The {first} and the {second} live in the {generator.choice(places)}.\n")
        sentences.append(f"{city.title()} is the capital of {countries[city].title()}.\n")
    return "".join(sentences)


@pytest.mark.parametrize(("translation", "original"), TRANSLATIONS.items())
def test_a_translation_has_the_blocks_of_its_original(translation: str, original: str) -> None:
    def code(document: str) -> list[str]:
        return [COMMENT.sub("", block.code) for block in blocks(document)]

    assert code(translation) == code(original)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.is_file(), f"{document.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{document.name} links to {link}"


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub and MyST give to headings."""
    headings = HEADING.findall(document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- docs/names.md


def table(document: str) -> list[list[str]]:
    """The cells of all table rows of a document."""
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


def named(cell: str) -> dict[str, str]:
    """The names in a cell, with what stands in parentheses behind each."""
    return {found[1]: found[2] or "" for found in re.finditer(r"`([\w-]+)`(?: \(([^)]*\)?)\))?", cell)}


def test_every_hyperparameter_and_argument_has_a_row_of_names_with_its_default() -> None:
    stated = {name: default for row in table("docs/names.md") for name, default in named(row[0]).items()}
    for value in (firth.Skipgram, firth.CBOW, firth.Preparation):
        for field in fields(value):
            assert_stated(stated[field.name], field.default, value.__name__)
    for parameter in inspect.signature(firth.train).parameters.values():
        if parameter.name != "family":
            assert_stated(stated[parameter.name], parameter.default, "train")


def assert_stated(stated: str, default: object, owner: str) -> None:
    """`stated` is as "0.04; CBOW 0.05" or "None: all cores"."""
    of_all, *others = stated.split("; ")
    of_owner = [other.removeprefix(f"{owner} ") for other in others if other.startswith(owner)]
    value = (of_owner or [of_all])[0].partition(":")[0].replace('"', "")
    assert value == ("" if default in (MISSING, inspect.Parameter.empty) else str(default))


@pytest.mark.parametrize(("theirs", "ours"), GENSIM_NAMES.items())
def test_every_name_of_gensim_stands_beside_what_we_answer(theirs: str, ours: str) -> None:
    rows = [row for row in table("docs/names.md") if theirs in named(row[2])]
    assert len(rows) == 1
    answer = ours.split("=")[0].split()[0].strip(",")
    assert answer in named(rows[0][0])


def test_the_defaults_of_gensim_are_those_of_the_table() -> None:
    models = pytest.importorskip("gensim.models")
    parameters = inspect.signature(models.Word2Vec.__init__).parameters
    stated = {name: default for row in table("docs/names.md") for name, default in named(row[2]).items() if default}
    of_word2vec = {name: default for name, default in stated.items() if name in parameters}
    assert of_word2vec == {name: str(parameters[name].default) for name in of_word2vec}
    assert len(of_word2vec) >= 15


# --- docs/families, docs/from-gensim.md


@pytest.mark.parametrize("family", [firth.Skipgram, firth.CBOW, firth.GloVe])
def test_the_page_of_a_family_states_its_hyperparameters(family: type) -> None:
    of_skipgram = {field.name: field.default for field in fields(firth.Skipgram)}
    expected = {field.name: field.default for field in fields(family)}
    if family is firth.CBOW:  # a page leaves to Skip-gram's what they share
        expected = {name: default for name, default in expected.items() if of_skipgram.get(name) != default}
    rows = [row for row in table(f"docs/families/{family.name}.md") if row[0].startswith("`") and row[0][1] != "-"]
    stated = {row[0].strip("`"): row[1].strip("`") for row in rows}
    assert stated == {name: "" if default is None else str(default) for name, default in expected.items()}


@pytest.mark.parametrize("name", ["ELMo", "GPT", "BERT"])
def test_the_page_of_a_network_states_both_recipes(name: str) -> None:
    pytest.importorskip("torch")
    family = getattr(firth, name)
    default, paper = family(), family.paper()
    rows = [row for row in table(f"docs/families/{family.name}.md") if row[0].startswith("`") and row[0][1] != "-"]
    stated = {row[0].strip("`"): (row[1].strip("`"), row[2].strip("`")) for row in rows}
    assert list(stated) == [field.name for field in fields(family)]
    for field, (fast, published) in stated.items():
        assert fast == ("" if getattr(default, field) is None else str(getattr(default, field)))
        assert published == ("" if getattr(paper, field) == getattr(default, field) else str(getattr(paper, field)))


@pytest.mark.parametrize("name", [*GENSIM_ATTRIBUTES, *GENSIM_ARGUMENTS])
def test_every_name_that_vectors_answer_stands_on_the_page_for_gensims_users(name: str) -> None:
    assert re.search(rf"\b{name}\b", (ROOT / "docs" / "from-gensim.md").read_text(encoding="utf-8"))
