"""SentenceTransformer opens what firth writes, and gives the same vectors."""

import json

import numpy as np
import pytest

import firth

pytestmark = pytest.mark.slow

ENCODE = """
import json, sys
from sentence_transformers import SentenceTransformer
found = {}
for path, texts in json.loads(sys.argv[1]).items():
    found[path] = SentenceTransformer(path, device="cpu").encode(texts, batch_size=2).tolist()
print(json.dumps(found))
"""
TEXT = ["The cat sat on the mat.", "the dog ran", "I don't know; my naïve cat ran over 2 mats"] * 10
ASKED = ["cat", "The CAT sat", "the dog, an unknown zebra and the cat!", "naïve cats don't know 2"]


@pytest.fixture
def encoded(consume):
    """What the library makes of texts, by the directory that it opens."""

    def run(asked):
        texts = json.dumps({str(path): texts for path, texts in asked.items()}, ensure_ascii=False)
        return {path: np.array(found) for path, found in consume("sentence_transformers", ENCODE, texts).items()}

    return run


def test_static_vectors(encoded, tmp_path):
    model = firth.train(firth.Skipgram(dim=8, min_count=1, sample=0), TEXT, epochs=2, threads=1, output=tmp_path / "sg")
    vectors = model.vectors
    chinese = firth.train(
        firth.CBOW(dim=8, min_count=1, sample=0),
        ["我今天好开心", "他今天不开心"] * 20,
        epochs=1,
        threads=1,
        preparation=firth.Preparation(segment="chinese"),
    )
    words = chinese.segmentation.words("我今天好开心")
    firth.to_sentence_transformers(tmp_path / "sg", tmp_path / "plain")
    firth.to_sentence_transformers(vectors.unit_normalized(), tmp_path / "unit")
    with pytest.warns(UserWarning, match="without the segmenter of Chinese"):
        firth.to_sentence_transformers(chinese, tmp_path / "chinese")
    asked = {tmp_path / "plain": ASKED, tmp_path / "unit": ASKED, tmp_path / "chinese": [" ".join(words)]}
    plain, unit, of_chinese = encoded(asked).values()
    known = [[word for word in vectors.segmentation.words(text) if word in vectors] for text in ASKED]
    np.testing.assert_allclose(plain, [vectors[words].mean(axis=0) for words in known], atol=1e-6)
    np.testing.assert_allclose(plain[0], vectors["cat"], atol=1e-7)
    np.testing.assert_allclose(unit, [vectors.sentence_vector(text) for text in ASKED], atol=1e-6)
    np.testing.assert_allclose(of_chinese[0], chinese.vectors[words].mean(axis=0), atol=1e-6)


def test_networks_with_mean_pooling(encoded, tmp_path):
    pytest.importorskip("torch")
    sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "context_length": 32, "n_positions": 64}
    families = {
        "bert": firth.BERT(**sizes),
        "gpt": firth.GPT(**sizes, norm="post"),
        "gpt2": firth.GPT(**sizes, norm="pre"),
    }
    models = {}
    for name, family in families.items():
        models[tmp_path / name] = firth.train(family, TEXT, tokens=500, threads=1, matrices=False)
        firth.to_sentence_transformers(models[tmp_path / name], tmp_path / name)
    told_little = {}
    for name in ("gpt", "gpt2"):  # as published: the tokenizer's settings name no piece
        models[tmp_path / name].save(tmp_path / f"{name}-saved")
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 32}
        (tmp_path / f"{name}-saved" / "tokenizer_config.json").write_text(json.dumps(settings))
        firth.to_sentence_transformers(tmp_path / f"{name}-saved", tmp_path / f"{name}-little")
        told_little[tmp_path / f"{name}-little"] = models[tmp_path / name]
    models |= told_little
    for path, found in encoded(dict.fromkeys(models, ASKED)).items():
        model = models[type(tmp_path)(path)]
        np.testing.assert_allclose(found, [model.sentence_vector(text) for text in ASKED], atol=1e-5)
