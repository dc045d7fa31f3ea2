"""Files that firth writes, opened by the programs that they are for; and theirs by firth.

gensim opens ours in tests/formats/test_word2vec.py, NumPy in tests/formats/test_arrays.py.
"""

import json
import os
import subprocess
import zipfile

import numpy as np
import pytest
from pyarrow import parquet

import firth
from firth.formats import word2vec
from firth.vectors import Vectors

from .conftest import PYTHON, is_there

pytestmark = pytest.mark.slow

WORDS = ["the", "king", "queen", "开心", "naïve", "New\u00a0York", "\u3000", "1", "[/b]", "e\u0301"]
ARRAY = (np.random.default_rng(1).standard_normal((10, 8)) * np.logspace(-6, 6, 10)[:, np.newaxis]).astype(np.float32)


@pytest.fixture
def source(tmp_path):
    Vectors(WORDS, ARRAY, counts=np.arange(10, 0, -1)).save(tmp_path / "source")
    return tmp_path / "source"


SPACY = """
import json, sys, spacy
vocabulary = spacy.load(sys.argv[1]).vocab
words = json.loads(sys.argv[2])
print(json.dumps([vocabulary.vectors.shape, [vocabulary.get_vector(word).tolist() for word in words]]))
"""


@pytest.mark.parametrize(("name", "format"), [("v.txt", None), ("v.vec", None), ("g.txt", "glove")])
def test_spacy_opens_text(consume, source, tmp_path, name, format):
    """`spacy init vectors` takes word2vec's text, and GloVe's, which it gives a first line itself."""
    if not is_there("spacy"):
        pytest.skip("spaCy is not in the consumers' environment: make test-all")
    firth.convert(source, tmp_path / name, format=format)
    command = [PYTHON, "-m", "spacy", "init", "vectors", "xx", tmp_path / name, tmp_path / "pipeline"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    shape, found = consume("spacy", SPACY, tmp_path / "pipeline", json.dumps(WORDS))
    assert shape == [10, 8]
    np.testing.assert_array_equal(np.float32(found), ARRAY)


FASTTEXT = """
import json, sys, fasttext
words = json.loads(sys.argv[2])
with open(sys.argv[3], "w", encoding="utf-8") as file:
    file.writelines(f"__label__a {word}\\n" for word in words)
model = fasttext.train_supervised(
    sys.argv[3], dim=8, epoch=1, lr=0.0, minCount=1, thread=1, pretrainedVectors=sys.argv[1], verbose=0)
print(json.dumps([model.get_word_vector(word).tolist() for word in words]))
"""
FASTTEXT_WRITES = """
import json, sys, fasttext
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write("the king and the queen\\n" * 50)
model = fasttext.train_unsupervised(sys.argv[1], dim=8, epoch=1, minCount=1, thread=1, maxn=0, verbose=0)
words = model.get_words()
with open(sys.argv[2], "w", encoding="utf-8") as file:  # as fastText's own example bin_to_vec.py does
    file.write(f"{len(words)} {model.get_dimension()}\\n")
    for word in words:
        file.write(word + "".join(f" {number}" for number in model.get_word_vector(word)) + "\\n")
print(json.dumps([words, [model.get_word_vector(word).tolist() for word in words]]))
"""


def test_fasttext_takes_our_vec_as_pretrained_vectors(consume, source, tmp_path):
    firth.convert(source, tmp_path / "v.vec")
    words = [word for word in WORDS if word.split() == [word]]  # fastText parts its text at ASCII white space alone
    found = consume("fasttext", FASTTEXT, tmp_path / "v.vec", json.dumps(words), tmp_path / "text")
    due = ARRAY[[WORDS.index(word) for word in words]]
    np.testing.assert_array_equal(np.float32(found), due)


def test_we_read_fasttexts_vec(consume, tmp_path):
    words, due = consume("fasttext", FASTTEXT_WRITES, tmp_path / "text", tmp_path / "theirs.vec")
    vectors = Vectors.load(tmp_path / "theirs.vec")
    assert vectors.words == words
    np.testing.assert_array_equal(vectors.matrix, np.float32(due))


PROJECTOR = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector import ProjectorConfig, projector_plugin
from werkzeug import Response
from werkzeug.test import Client

folder = Path(sys.argv[1])
config = ProjectorConfig()
embedding = config.embeddings.add()
embedding.tensor_name = "firth"
embedding.tensor_path = "vectors.tsv"
embedding.metadata_path = "metadata.tsv"
(folder / "projector_config.pbtxt").write_text(str(config))
runs = SimpleNamespace(list_runs=lambda context, experiment_id: [])
apps = projector_plugin.ProjectorPlugin(base_plugin.TBContext(logdir=str(folder), data_provider=runs)).get_plugin_apps()
tensor = Client(apps["/tensor"], Response).get("/?run=.&name=firth").get_data()
metadata = Client(apps["/metadata"], Response).get("/?run=.&name=firth").get_data(as_text=True)
print(json.dumps([np.frombuffer(tensor, np.float32).tolist(), metadata]))
"""


@pytest.mark.parametrize("counted", [False, True])
def test_the_projector_of_tensorboard_serves_ours(consume, source, tmp_path, counted):
    vectors = Vectors.load(source)
    (Vectors(WORDS, ARRAY) if not counted else vectors).save(tmp_path / "again")
    (tmp_path / "log").mkdir()
    firth.convert(tmp_path / "again", tmp_path / "log" / "vectors.tsv")
    tensor, metadata = consume("tensorboard", PROJECTOR, tmp_path / "log")
    np.testing.assert_array_equal(np.float32(tensor).reshape(10, 8), ARRAY)
    lines = metadata.removesuffix("\n").split("\n")
    if counted:
        assert lines == ["word\tcount", *(f"{word}\t{10 - row}" for row, word in enumerate(WORDS))]
    else:
        assert lines == WORDS


def test_embedding_atlas_makes_its_page_of_ours(source, tmp_path):
    """The program itself exports its application; what it took from our table is in the archive."""
    if not is_there("embedding_atlas"):
        pytest.skip("embedding-atlas is not in the consumers' environment: make test-all")
    firth.convert(source, tmp_path / "v.parquet", neighbours=3)
    columns = ["--text", "word", "--vector", "vector", "--x", "x", "--y", "y", "--neighbors", "neighbors"]
    command = [PYTHON, "-m", "embedding_atlas.cli", tmp_path / "v.parquet", *columns]
    command += ["--export-application", tmp_path / "atlas.zip"]
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300, env=os.environ | home)
    assert done.returncode == 0, done.stderr[-3000:]
    with zipfile.ZipFile(tmp_path / "atlas.zip") as archive:
        metadata = json.loads(archive.read("data/metadata.json"))
        (tmp_path / "theirs.parquet").write_bytes(archive.read("data/dataset.parquet"))
    table = parquet.read_table(tmp_path / "theirs.parquet")
    assert table["word"].to_pylist() == WORDS
    ours = parquet.read_table(tmp_path / "v.parquet")
    assert table["neighbors"].to_pylist() == ours["neighbors"].to_pylist()
    np.testing.assert_array_equal(table["x"].to_numpy(), ours["x"].to_numpy())
    assert "neighbors" in json.dumps(metadata)


ATLAS_DEGREES = """
import json, sys
from embedding_atlas.graph_metrics import compute_degree_columns
from embedding_atlas.utils import load_pandas_data
degrees = compute_degree_columns(load_pandas_data(sys.argv[1]), neighbors="neighbors")
print(json.dumps(len(degrees)))
"""


def test_embedding_atlas_computes_with_our_neighbours(consume, source, tmp_path):
    firth.convert(source, tmp_path / "v.parquet", neighbours=3)
    assert consume("embedding_atlas", ATLAS_DEGREES, tmp_path / "v.parquet")


PANDAS = """
import json, sys
import numpy as np, pandas
table = pandas.read_parquet(sys.argv[1])
print(json.dumps([table["word"].tolist(), np.stack(table["vector"]).tolist(), table["count"].tolist()]))
"""
DUCKDB = """
import json, sys, duckdb
rows = duckdb.sql(f"select word, vector[1], neighbors.ids[1] from '{sys.argv[1]}'").fetchall()
print(json.dumps(rows))
"""


def test_pandas_and_duckdb_open_the_table(consume, source, tmp_path):
    firth.convert(source, tmp_path / "v.parquet", neighbours=1)
    words, array, counts = consume("pandas", PANDAS, tmp_path / "v.parquet")
    assert (words, counts) == (WORDS, list(range(10, 0, -1)))
    np.testing.assert_array_equal(np.float32(array), ARRAY)
    rows = consume("duckdb", DUCKDB, tmp_path / "v.parquet")
    assert [row[0] for row in rows] == WORDS
    vectors = Vectors.load(source)
    assert [WORDS[row[2]] for row in rows] == [vectors.most_similar(word, topn=1)[0][0] for word in WORDS]


def test_sentence_transformers_reads_glove_text(consume, source, tmp_path):
    code = """
import json, sys
from sentence_transformers.models import WordEmbeddings
found = WordEmbeddings.from_text_file(sys.argv[1])
print(json.dumps([found.tokenizer.get_vocab(), found.emb_layer.weight.tolist()]))
"""
    firth.convert(source, tmp_path / "g.txt", format="glove")
    vocabulary, weight = consume("sentence_transformers", code, tmp_path / "g.txt")
    rows = [row for row, word in enumerate(vocabulary) if word in WORDS]
    assert [vocabulary[row] for row in rows] == WORDS
    np.testing.assert_allclose(np.array(weight)[rows], ARRAY, rtol=1e-6)


def test_a_published_glove_file(tmp_path):
    """`FIRTH_GLOVE` names one, as glove.6B.50d.txt: text without a header, opened, converted, opened again."""
    path = os.environ.get("FIRTH_GLOVE")
    if not path:
        pytest.skip("FIRTH_GLOVE names no file of GloVe vectors")
    firth.convert(path, tmp_path / "glove")
    vectors, text = Vectors.load(tmp_path / "glove"), word2vec.read(path, format="glove")
    assert vectors.words == text.words
    np.testing.assert_array_equal(vectors.matrix, text.array)
    assert vectors.most_similar("king", topn=1)[0][1] > 0.5
