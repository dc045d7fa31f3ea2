"""The API: what it answers is what Python answers, faults say what to do, and no answer names a folder."""

import csv
import io
import json

import numpy as np
import pytest

import firth
from firth.explorer import answers, translations, usages
from firth.explorer.app import application
from firth.explorer.exploration import Exploration, Tried
from firth.vectors import Vectors

from .conftest import Client, vectors_of


def test_models_and_corpus_are_told_without_folders(client, places):
    answer = client.get("/api/models")
    told = answer.json()
    assert [model["name"] for model in told["models"]] == ["first", "second"]
    assert [model["layers"] for model in told["models"]] == [[0], [0, 1]]
    assert [model["network_layers"] for model in told["models"]] == [[], []]
    assert told["corpus"]["state"] == "ready"
    assert told["corpus"]["n_lines"] == 50
    assert told["corpus"]["columns"] == ["source"]
    assert "secret-folder" not in answer.text


def test_neighbours_are_those_of_the_full_space(client, places):
    told = client.get("/api/neighbours", params={"word": "river", "of": ["first", "second:0"], "topn": 4}).json()
    for column, vectors in zip(
        told["columns"], [Vectors.load(places["first"]), Vectors.load(places["second"]).layer(0)], strict=True
    ):
        due = vectors.most_similar("river", topn=4)
        assert [one["word"] for one in column["neighbours"]] == [word for word, _ in due]
        assert [one["cosine"] for one in column["neighbours"]] == pytest.approx([cosine for _, cosine in due], abs=1e-5)
    shared = set.intersection(*({one["word"] for one in column["neighbours"]} for column in told["columns"]))
    assert told["overlaps"] == [
        {"a": "first:0", "b": "second:0", "shared": len(shared), "jaccard": round(len(shared) / (8 - len(shared)), 6)}
    ]
    assert told["columns"][0]["count"] == 1000
    assert told["columns"][0]["rank"] == 1


def test_the_python_line_gives_the_same_numbers(client, places, monkeypatch):
    column = client.get("/api/neighbours", params={"word": "boat", "of": "second:1"}).json()["columns"][0]
    monkeypatch.chdir(places["second"].parent)
    assert column["python"] == "firth.Vectors.load('second').layer(1).most_similar('boat', topn=10)"
    due = firth.Vectors.load("second").layer(1).most_similar("boat", topn=10)
    assert [one["word"] for one in column["neighbours"]] == [word for word, _ in due]


def test_the_python_lines_of_a_word_in_its_contexts_give_the_same(client, places, monkeypatch, tmp_path):
    monkeypatch.chdir(places["first"].parent)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = {"word": "bank", "most": 20}
    listed = client.post("/api/concordance", asked).json()
    assert listed["python"].endswith("indexed(CORPUS, firth.Preparation(keep=('source',))).sample('bank', 20, 1)")
    told = client.post("/api/occurrences", asked | {"model": "second"}).json()
    known = {"firth": firth, "CORPUS": places["corpus"]}
    exec(told["python"], known)
    np.testing.assert_allclose(known["points"], told["points"], atol=1e-5)
    assert [one.line for one in known["found"].occurrences] == [one["line"] for one in listed["occurrences"]]
    assert known["index"].columns == ("source",)


def test_many_words_are_answered_as_each_alone(client):
    many = client.post("/api/neighbours", {"words": ["river", "money"], "of": ["first"], "topn": 3}).json()
    for word, answer in zip(["river", "money"], many["answers"], strict=True):
        alone = client.get("/api/neighbours", params={"word": word, "of": "first", "topn": 3}).json()
        assert [n["word"] for n in answer["columns"][0]["neighbours"]] == [
            n["word"] for n in alone["columns"][0]["neighbours"]
        ]


def test_an_unknown_word_is_404_with_what_is_spelt_alike(client):
    answer = client.get("/api/neighbours", params={"word": "rivers", "of": "first"})
    assert answer.status_code == 404
    assert answer.json()["word"] == "rivers"
    assert answer.json()["spellings"] == ["river"]
    assert client.get("/api/spellings", params={"model": "first", "word": "rivr"}).json()["spellings"][0] == "river"


def test_the_rank_of_an_analogy_is_the_true_one(client, places):
    told = client.get(
        "/api/analogy", params={"a": "river", "b": "money", "c": "water", "expected": "cash", "of": "first", "topn": 20}
    ).json()
    (column,) = told["columns"]
    order = [answer["word"] for answer in column["answers"]]
    assert column["rank"] == order.index("cash") + 1
    assert column["of_words"] == len(order) == 10


def test_similarity_and_vector(client, places):
    vectors = Vectors.load(places["first"])
    pair = client.get("/api/similarity", params={"word1": "river", "word2": "water", "of": "first"}).json()
    assert pair["columns"][0]["cosine"] == pytest.approx(vectors.similarity("river", "water"), abs=1e-5)
    told = client.get("/api/vector", params={"word": "开心", "of": "first"}).json()
    np.testing.assert_allclose(told["columns"][0]["vector"], vectors["开心"], atol=1e-5)


def test_completion_gives_the_most_frequent_first(client):
    told = client.get("/api/words", params={"model": "first", "prefix": "b"}).json()
    assert [one["word"] for one in told["words"]] == ["bank", "boat"]


def test_completion_without_a_model_is_of_the_corpus(client):
    told = client.get("/api/words", params={"prefix": "  B"}).json()
    assert [(one["word"], one["count"]) for one in told["words"]] == [("bank", 50), ("boat", 16), ("by", 16), ("b", 2)]
    assert told["model"] is None
    assert [one["word"] for one in client.get("/api/words", params={"prefix": "b", "limit": 1}).json()["words"]] == [
        "bank"
    ]


def test_the_senses_of_a_word_are_told_apart_by_its_company(client):
    answer = client.post("/api/occurrences", {"word": "Bank", "model": "first", "most": 100, "seed": 1, "senses": 2})
    told = answer.json()
    assert answer.status_code == 200
    assert told["word"] == "bank"
    assert told["kind"] == "around"
    assert told["total"] == 50
    assert len(told["occurrences"]) == told["shown"] == len(told["points"][0])
    for one in told["occurrences"]:
        assert one["text"][one["start"] : one["end"]].lower() == "bank"
    by_line = {one["line"]: one["sense"] for one in told["occurrences"]}
    rivers, news = ({by_line[line] for line in some} for some in (range(24), range(24, 48)))
    assert len(rivers) == len(news) == 1
    assert rivers != news
    assert told["columns"]["source"] == ["news", "rivers"]
    assert {"money", "credit", "cash"} & set(told["senses"]["of"][news.pop()]["words"])


def test_a_sample_is_drawn_by_its_seed(client):
    asked = {"word": "bank", "most": 10}
    first, again, other = (client.post("/api/concordance", asked | {"seed": seed}).json() for seed in (1, 1, 2))
    lines = [[one["line"] for one in told["occurrences"]] for told in (first, again, other)]
    assert lines[0] == lines[1] != lines[2]
    assert first["total"] == 50
    assert first["shown"] == 10


def test_a_word_that_the_corpus_lacks_is_told(client):
    answer = client.post("/api/occurrences", {"word": "credits", "model": "first"})
    assert answer.status_code == 404
    assert answer.json()["word"] == "credits"
    assert "credit" in answer.json()["spellings"]


def test_a_map_has_its_points_words_and_trust(client):
    told = client.get("/api/map", params={"model": "first"}).json()
    assert told["state"] == "ready"
    points = np.frombuffer(client.get(told["points"]).content, "<f4").reshape(-1, 2)
    words = client.get(told["words"]).json()
    assert len(points) == told["n"] == len(words["words"]) == len(words["counts"])
    assert np.abs(points).max() <= 1
    assert told["trustworthiness"] is None  # 13 words are too few to judge


def test_a_map_is_turned_onto_another(client):
    own = {"model": "second", "layer": 1}
    told = client.get("/api/map", params=own | {"onto": "second:1:pca"}).json()
    same = np.frombuffer(client.get(told["points"]).content, "<f4")
    plain = np.frombuffer(client.get(client.get("/api/map", params=own).json()["points"]).content, "<f4")
    np.testing.assert_allclose(same, plain, atol=1e-4)


def test_the_python_lines_of_a_map_give_its_points(client, places, monkeypatch):
    monkeypatch.chdir(places["first"].parent)
    for asked in ({"limit": 9}, {"limit": 9, "onto": "first:0:pca"}):
        told = client.get("/api/map", params={"model": "second", "layer": 1} | asked).json()
        known = {"firth": firth}
        exec(told["python"], known)
        points = np.frombuffer(client.get(told["points"]).content, "<f4").reshape(-1, 2)
        np.testing.assert_allclose(known["points"], points, atol=1e-6)


def test_a_map_by_umap_is_absent_until_it_is_asked_for(client):
    told = client.get("/api/map", params={"model": "first", "method": "umap"}).json()
    assert told["state"] == "absent"
    assert client.get("/api/map/points", params={"model": "first", "method": "umap"}).status_code == 404


def test_movers(client):
    answer = client.post("/api/movers", {"old": "first", "new": "second", "layer": 0, "topn": 3})
    assert answer.status_code == 200
    told = answer.json()
    assert len(told["movers"]) == 3
    assert told["movers"][0]["movement"] >= told["movers"][1]["movement"]


def test_heat_maps_of_words_and_sentences(client):
    told = client.post("/api/heatmap", {"of": "first", "words": ["river", "money", "rivr"]}).json()
    assert told["labels"] == ["river", "money"]
    assert told["unknown"] == [{"word": "rivr", "spellings": ["river"]}]
    np.testing.assert_allclose(np.diag(told["cosines"]), 1, atol=1e-5)
    of_sentences = client.post("/api/heatmap", {"of": "second:1", "sentences": ["the river", "money"]}).json()
    assert of_sentences["layer"] == 1
    assert of_sentences["cosines"][0][1] == of_sentences["cosines"][1][0]
    assert client.post("/api/heatmap", {"of": "first"}).status_code == 400
    twice = {"of": "first", "sentences": ["river", "money", "river", "river (2)"]}
    rows = list(csv.reader(io.StringIO(client.post("/api/heatmap?format=csv", twice).content.decode("utf-8-sig"))))
    assert rows[0] == ["", "river", "money", "river (2)", "river (2) (2)"]
    assert rows[1][1] == rows[1][3]
    assert {len(row) for row in rows} == {5}


def test_contexts_of_a_static_model_are_its_vectors(client, places):
    told = client.post("/api/contexts", {"model": "first", "sentences": ["the river zzz"]}).json()
    (sentence,) = told["sentences"]
    assert sentence["words"] == ["the", "river", "zzz"]
    assert sentence["unknown"] == [2]
    assert sentence["vectors"][0][2] == [None] * 8
    np.testing.assert_allclose(sentence["vectors"][0][1], Vectors.load(places["first"])["river"], atol=1e-5)


def test_more_numbers_than_an_answer_may_hold_are_refused(client, monkeypatch):
    monkeypatch.setattr(answers, "MOST_NUMBERS", 2 * 4 * 8)
    asked = {"model": "second", "sentences": ["the river", "the bank"]}
    assert client.post("/api/contexts", asked).status_code == 200
    more = asked | {"sentences": ["the river", "the bank bank"]}
    refused = client.post("/api/contexts", more)
    assert refused.status_code == 400
    assert "5 words in 2 layers of 8 dimensions are 80 numbers" in refused.json()["error"]
    assert refused.json()["what_to_do"] == "send fewer sentences at a time, or name fewer layers"
    assert client.post("/api/contexts", more | {"layers": [1]}).status_code == 200
    assert client.post("/api/contexts", more | {"vectors": False}).status_code == 200


def test_a_log_is_read_as_far_as_it_is_written(client):
    told = client.get("/api/runs/first/log").json()
    assert [entry["seconds"] for entry in told["entries"]] == [1.0, 1.0, 2.0]
    assert told["entries"][1]["held_out_nats"] is None
    assert told["next"] == 3
    assert client.get("/api/runs/first/log", params={"after": 3}).json()["entries"] == []
    assert [run["model"] for run in client.get("/api/runs").json()["runs"]] == ["first"]


def test_layers_are_of_contextual_models(client):
    answer = client.post("/api/layers", {"model": "first"})
    assert answer.status_code == 404
    assert "ELMo, GPT and BERT" in answer.json()["what_to_do"]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/neighbours?word=bank&topn=5", None),
        ("/api/models", None),
        ("/api/similarity?word1=bank&word2=money", None),
        ("/api/analogy?a=river&b=bank&c=money", None),
        ("/api/vector?word=bank", None),
        ("/api/words?model=first", None),
        ("/api/words?prefix=b", None),
        ("/api/spellings?model=first&word=ban", None),
        ("/api/map?model=first", None),
        ("/api/map/words?model=first", None),
        ("/api/runs", None),
        ("/api/runs/first/log", None),
        ("/api/occurrences", {"word": "cash", "model": "first"}),
        ("/api/concordance", {"word": "cash"}),
        ("/api/heatmap", {"of": "first", "words": ["=1+1", "bank"]}),
        ("/api/contexts", {"model": "first", "sentences": ["the bank"]}),
        ("/api/movers", {"old": "first", "new": "second", "layer": 0}),
    ],
)
def test_every_answer_is_had_as_csv_that_a_spreadsheet_opens(client: Client, path, asked):
    mark = "&" if "?" in path else "?"
    how = f"{path}{mark}format=csv"
    answer = client.get(how) if asked is None else client.post(how, asked)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not any(
        cell[:1] in ("=", "+", "@") or (cell[:1] == "-" and not is_number(cell)) for row in rows for cell in row
    )


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_the_fault_of_several_words_names_the_unknown_one(client):
    for path in ("/api/similarity?word1=river&word2=rivr", "/api/analogy?a=river&b=rivr&c=money"):
        told = client.get(path).json()
        assert told["word"] == "rivr"
        assert told["spellings"] == ["river"]


def test_columns_of_the_corpus_stand_beside_ours_in_a_table():
    one = {"id": 0, "line": 7, "text": "ours", "sense": 1, "columns": {"text": "theirs", "x_0": "2001", "year": "1"}}
    (row,) = usages.in_rows({"occurrences": [one], "layers": [0], "points": [[[0.5, -0.5]]]})
    assert row == {
        "id": 0,
        "line": 7,
        "text": "ours",
        "sense": 1,
        "x_0": 0.5,
        "y_0": -0.5,
        "text (2)": "theirs",
        "x_0 (2)": "2001",
        "year": "1",
    }


def test_hostile_sentences_are_data(client):
    told = client.post("/api/concordance", {"word": "cash", "most": 1000})
    assert told.headers["content-type"] == "application/json"
    assert any("<script>alert(1)</script>" in one["text"] for one in told.json()["occurrences"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/neighbours", 422),
        ("/api/neighbours?word=bank&topn=0", 422),
        ("/api/neighbours?word=bank&of=nobody", 404),
        ("/api/neighbours?word=bank&of=second:7", 400),
        ("/api/neighbours?word=bank&of=second:x", 400),
        ("/api/nothing", 404),
        ("/nothing", 404),
        ("/static/../api.py", 404),
        ("/static/%2e%2e/api.py", 404),
        ("/api/map?model=first&onto=first", 400),
    ],
)
def test_faults_say_what_to_do(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status
    told = json.loads(answer.text)
    assert told["error"]
    assert told["what_to_do"]
    assert "Traceback" not in answer.text
    assert "secret-folder" not in answer.text


@pytest.mark.parametrize(
    ("path", "asked", "code", "values"),
    [
        ("/api/layers", {"model": "nobody"}, "fault-model", {"name": "nobody", "names": "first, second"}),
        ("/api/heatmap", {"of": "second:7", "words": ["a"]}, "fault-layer", {"name": "second", "layer": 7}),
        ("/api/layers", {"model": "first"}, "fault-static", {"name": "first"}),
        ("/api/heatmap", {"of": "first", "sentences": ["river", "zz zz"]}, "fault-sentence", {"sentence": "zz zz"}),
        ("/api/movers", {"old": "first", "new": "wide"}, "fault-model", {"name": "wide"}),
        ("/api/movers", {"old": "first", "new": "first", "topn": 0}, "fault-too-small", {"field": "topn", "bound": 1}),
        ("/api/concordance", {"word": "bank", "most": 2_000}, "fault-too-large", {"field": "most", "bound": 1_000}),
        ("/api/concordance", {"word": ""}, "fault-too-short", {"field": "word", "bound": 1}),
        ("/api/heatmap", {"of": "first", "words": []}, "fault-too-few", {"field": "words", "bound": 1}),
        ("/api/heatmap", {"of": "first", "words": ["a", "b" * 201]}, "fault-too-long", {"field": "words.1"}),
        ("/api/heatmap", {"of": "first", "words": ["a"] * 65}, "fault-too-many", {"field": "words", "bound": 64}),
        ("/api/concordance", {}, "fault-field", {"field": "word"}),
        ("/api/concordance", {"word": "rivr"}, "fault-word", {"word": "rivr"}),
    ],
)
def test_a_fault_has_a_code_and_what_it_is_about_for_every_language(client, path, asked, code, values):
    told = client.post(path, asked).json()
    assert told["code"] == code
    assert values.items() <= told["values"].items()
    for language in translations.LANGUAGES:
        texts = translations.texts(language)
        assert "{" not in texts[code].format(**told["values"])
        assert code == "fault-word" or "{" not in texts[f"{code}-advice"].format(**told["values"])


@pytest.mark.parametrize(
    ("vectors", "code", "values"),
    [
        (Vectors(["river", "money"], np.eye(2, 9, dtype=np.float32)), "fault-dims", {"old_dim": 8, "new_dim": 9}),
        (Vectors(["river", "money"], np.eye(2, 8, dtype=np.float32)), "fault-few-shared", {"n": 2, "dim": 8}),
        (vectors_of(3, n_layers=3), "fault-last-layers", {"old": "second", "new": "other"}),
    ],
)
def test_why_two_models_cannot_be_turned_onto_each_other(places, tmp_path, vectors, code, values):
    vectors.save(tmp_path / "other")
    exploration = Exploration([places["second"], tmp_path / "other"], at_once=1)
    try:
        told = Client(application(exploration)).post("/api/movers", {"old": "second", "new": "other"}).json()
    finally:
        exploration.close()
    assert told["code"] == code
    assert values.items() <= told["values"].items()


def test_a_model_that_knows_a_word_nowhere_or_a_corpus_that_is_not_there(places, tmp_path):
    Vectors(["zzz"], np.ones((1, 8), np.float32)).save(tmp_path / "other")
    exploration = Exploration([tmp_path / "other"], at_once=1)
    try:
        client = Client(application(exploration))
        asked = {"word": "bank", "model": "other"}
        assert client.post("/api/occurrences", asked).json()["code"] == "fault-no-corpus"
        exploration.read(places["corpus"], name="corpus.jsonl", cache_dir=tmp_path)
        exploration.wait()
        told = client.post("/api/occurrences", asked).json()
        assert told["code"] == "fault-nowhere-known"
        assert told["values"] == {"name": "other", "word": "bank", "n": 50}
    finally:
        exploration.close()


def test_a_corpus_that_cannot_be_shown_is_told_with_the_reason(places, tmp_path):
    (tmp_path / "empty.txt").write_text("...")
    exploration = Exploration([places["first"]], at_once=1)
    try:
        exploration.read(tmp_path / "empty.txt", name="empty.txt", cache_dir=tmp_path)
        exploration.wait()
        told = Client(application(exploration)).post("/api/concordance", {"word": "bank"}).json()
    finally:
        exploration.close()
    assert told["code"] == "fault-corpus"
    assert "has no words" in told["error"]
    assert str(tmp_path) not in told["error"]


def test_the_known_parts_of_a_word_without_spaces_are_told(client):
    asked = {"word": "开心很开心", "of": "first"}
    assert client.get("/api/neighbours", params=asked).json()["parts"] == ["开心", "开心"]
    many = client.get("/api/analogy", params={"a": "river", "b": "开心很开心", "c": "money", "of": "first"}).json()
    assert many["parts"] == ["开心", "开心"]
    assert client.get("/api/neighbours", params={"word": "xbank", "of": "first"}).json()["parts"] == []


def test_words_to_try_are_those_that_come_with_a_corpus(client, places, tmp_path):
    assert client.get("/api/models").json()["corpus"]["tried"] == {"words": [], "models": []}
    exploration = Exploration([places["first"]], at_once=1)
    try:
        exploration.read(places["corpus"], name="x", tried=Tried(("bank",), ("first",)), cache_dir=tmp_path)
        exploration.wait()
        told = Client(application(exploration)).get("/api/models").json()["corpus"]["tried"]
    finally:
        exploration.close()
    assert told == {"words": ["bank"], "models": ["first"]}


def test_a_field_that_is_not_known_is_refused(client):
    assert client.post("/api/layers", {"model": "first", "modle": 1}).status_code == 422
    assert client.post("/api/concordance", {"word": "bank", "most": 1001}).status_code == 422
