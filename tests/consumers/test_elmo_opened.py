"""ELMo's files as we write them, opened by the programs that the published ones are for, which find the same vectors.

simple_elmo runs as it is, on TensorFlow: it has bilm-tf's own network. Of AllenNLP, which asks for packages that no
Python of today has, the files run that read and compute an ELMo; what they import and do not use is stood in for.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("h5py")

import firth  # noqa: E402
from firth.formats import elmo_hdf5  # noqa: E402
from firth.model import Model, Words  # noqa: E402
from firth.segmentation import Segmentation  # noqa: E402
from firth.vocabulary import Vocabulary  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is longer than an elmo model reads")]

SENTENCES = [["The", "cat", "sat", "."], ["开心", "internationalisation" * 3, "<S>"], ["Third"]]
TEXT = ["The cat sat on the mat.", "A dog saw the cat, and ran!", ""] * 30
SMALL = firth.ELMo(
    dim=16, cell_dim=24, character_dim=4, filters=((1, 4), (2, 8), (3, 16)), n_highway=2, min_count=1,
    context_length=8, batch_size=4, cell_clip=0.5, projection_clip=0.3,
)  # fmt: skip
SHAPES = {
    "trained": SMALL,
    "no clips": replace(SMALL, lstm="library", cell_clip=None, projection_clip=None),
    "three layers": replace(SMALL, n_layers=3, activation="tanh", n_highway=1),
}
OF_BILM_ALONE = {"no residual": replace(SMALL, residual=False), "unprojected": replace(SMALL, cell_dim=8)}

SIMPLE_ELMO = """
import json, logging, os, sys
os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
logging.disable(logging.INFO)
from simple_elmo import ElmoModel
model = ElmoModel()
model.load(sys.argv[1])
found = []
for sentence in json.loads(sys.argv[2]):  # a session of its own, whose state is nothing
    found.append(model.get_elmo_vectors([sentence], warmup=False, layers="all")[0].tolist())
print(json.dumps(found))
"""
ALLENNLP = """
import importlib.util, json, sys, types
from pathlib import Path

root = Path(importlib.util.find_spec("allennlp").origin).parent

def package(name):
    module = types.ModuleType(name)
    module.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
    sys.modules[name] = module

def stands_for(name, *things, **values):
    module = types.ModuleType(name)
    vars(module).update(dict.fromkeys(things), **values)
    sys.modules[name] = module

class Indexer:
    register = classmethod(lambda cls, name: lambda other: other)

for name in ("", ".common", ".data", ".data.tokenizers", ".data.token_indexers", ".modules", ".nn"):
    package("allennlp" + name)
sys.modules["allennlp.common"].FromParams = object
sys.modules["allennlp.data.tokenizers"].Token = str
stands_for("allennlp.common.file_utils", cached_path=lambda path: path)
unused = ("lazy_groups_of", "int_to_device", "is_distributed", "is_global_primary", "pad_sequence_to_length")
stands_for("allennlp.common.util", *unused)
stands_for("allennlp.data.token_indexers.token_indexer", TokenIndexer=Indexer, IndexedTokenList=dict)
stands_for("allennlp.data.instance", "Instance")
stands_for("allennlp.data.tokenizers.token_class", "Token")
stands_for("allennlp.data.vocabulary", "Vocabulary")
stands_for("allennlp.data.batch", "Batch")
stands_for("allennlp.data.fields", "TextField")
stands_for("allennlp.nn.initializers", block_orthogonal=lambda *_: None)  # of weights that are read then

import torch
from allennlp.data.token_indexers.elmo_indexer import ELMoCharacterMapper
from allennlp.modules.elmo import _ElmoBiLm

spelt = ELMoCharacterMapper().convert_word_to_char_ids
found = []
for sentence in json.loads(sys.argv[2]):
    model = _ElmoBiLm(sys.argv[1] + "/options.json", sys.argv[1] + "/weights.hdf5").eval()
    with torch.no_grad():
        layers = model(torch.tensor([[spelt(word) for word in sentence]]))["activations"]
    found.append([layer[0, 1:-1].tolist() for layer in layers])
print(json.dumps(found))
"""
PROGRAMS = {"simple_elmo": SIMPLE_ELMO, "allennlp": ALLENNLP}


def lively(family: firth.ELMo) -> Model:
    """A model whose weights are large enough for every part, and every clip, to matter."""
    network = family.network(0, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return Model(family, Words(Vocabulary([], []), Segmentation(method="space", lower=False)), network, {})


def assert_found(found, model):
    for ours, theirs in zip(firth.extract(model, SENTENCES), found, strict=True):
        np.testing.assert_allclose(np.float32(theirs), ours.array, rtol=0, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_they_find_the_vectors_that_we_find(consume_elmo, tmp_path, program, shape):
    model = lively(SHAPES[shape])
    if shape == "trained":
        model = firth.train(SMALL, TEXT, tokens=640, threads=1, output=tmp_path / "model", matrices=False)
    else:
        model.save(tmp_path / "model")
    assert_found(consume_elmo(program, PROGRAMS[program], tmp_path / "model", json.dumps(SENTENCES)), model)


@pytest.mark.parametrize("shape", OF_BILM_ALONE)
def test_what_bilm_tf_alone_has_is_opened_by_it(consume_elmo, tmp_path, shape):
    model = lively(OF_BILM_ALONE[shape])
    model.save(tmp_path / "model")
    assert_found(consume_elmo("simple_elmo", SIMPLE_ELMO, tmp_path / "model", json.dumps(SENTENCES)), model)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_small_model_of_the_tests_is_opened(consume_elmo, tmp_path, program):
    """Its outputs were recorded by equations alone."""
    folder = Path(__file__).parents[1] / "formats" / "elmo"
    for name in (elmo_hdf5.OPTIONS, elmo_hdf5.WEIGHTS):
        shutil.copyfile(folder / name, tmp_path / name)
    options = json.loads((tmp_path / elmo_hdf5.OPTIONS).read_text(encoding="utf-8"))
    if program == "allennlp" and options["char_cnn"]["max_characters_per_token"] != 50:
        pytest.skip("AllenNLP spells words in 50 characters, whatever the options say")
    assert_found(consume_elmo(program, PROGRAMS[program], tmp_path, json.dumps(SENTENCES)), firth.load(tmp_path))
