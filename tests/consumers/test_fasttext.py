"""fastText's models that firth writes, opened by fastText itself."""

import json

import numpy as np
import pytest

import firth

pytestmark = pytest.mark.slow

TEXT = ["the walker walked and the talker talked", "我们 今天 开心 naïve"] * 30
UNSEEN = ["walking", "开心地", "naïvely", "x", "</s>"]
OPENED = """
import json, sys, fasttext
model = fasttext.load_model(sys.argv[1])
words = model.get_words()
asked = [*words, *json.loads(sys.argv[2])]
print(json.dumps({
    "words": words,
    "vectors": [model.get_word_vector(word).tolist() for word in asked],
    "neighbours": model.get_nearest_neighbors("walking", k=3),
    "analogies": len(model.get_analogies("walker", "walked", "talker", k=2)),
    "sentence": len(model.get_sentence_vector("walking home")),
    "is_quantised": model.is_quantized(),
}))
"""
WRITTEN = """
import json, sys, fasttext
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write("the walker walked and the talker talked\\n我们 今天 开心 naïve\\n" * 30)
model = fasttext.train_unsupervised(
    sys.argv[1], model=sys.argv[2], loss=sys.argv[3], dim=8, minn=2, maxn=4, bucket=500, minCount=1, epoch=2, thread=1,
    verbose=0)
model.save_model(sys.argv[4])
asked = [*model.get_words(), *json.loads(sys.argv[5])]
print(json.dumps([asked, [model.get_word_vector(word).tolist() for word in asked]]))
"""


@pytest.mark.parametrize("family", [firth.Skipgram, firth.CBOW])
@pytest.mark.parametrize("objective", ["negative_sampling", "hierarchical_softmax"])
def test_fasttext_opens_what_is_written(consume, tmp_path, family, objective):
    small = {"dim": 8, "min_count": 1, "sample": 0.0, "subwords": "2-4", "buckets": 500}
    model = firth.train(family(objective=objective, **small), TEXT, epochs=5, threads=1, output=tmp_path / "model")
    firth.convert(tmp_path / "model", tmp_path / "model.bin", format="fasttext")
    unseen = ["walking", "开心地", "naïvely"]
    found = consume("fasttext", OPENED, tmp_path / "model.bin", json.dumps(unseen))
    assert found["words"] == model.vocabulary.words
    due = [model.vectors[word] for word in (*model.vocabulary.words, *unseen)]
    np.testing.assert_array_equal(np.float32(found["vectors"]), due)
    assert len(found["neighbours"]) == 3
    near = dict(model.vectors.most_similar("walking", topn=len(model.vocabulary)))
    for cosine, word in found["neighbours"]:
        assert near[word] == pytest.approx(cosine, abs=1e-5)
    assert (found["analogies"], found["sentence"], found["is_quantised"]) == (2, 8, False)


def test_fasttext_opens_vectors_of_whole_words(consume, tmp_path):
    model = firth.train(firth.Skipgram(dim=8, min_count=1), TEXT, epochs=2, threads=1, output=tmp_path / "model")
    firth.convert(tmp_path / "model", tmp_path / "model.bin", format="fasttext")
    found = consume("fasttext", OPENED, tmp_path / "model.bin", "[]")
    np.testing.assert_array_equal(np.float32(found["vectors"]), model.vectors.matrix)


@pytest.mark.parametrize(
    ("kind", "loss"), [("skipgram", "ns"), ("cbow", "ns"), ("skipgram", "hs"), ("cbow", "softmax")]
)
def test_what_fasttext_writes_is_read_to_the_bit_and_written_again(consume, tmp_path, kind, loss):
    theirs, again = tmp_path / "theirs.bin", tmp_path / "again.bin"
    words, due = consume("fasttext", WRITTEN, tmp_path / "text", kind, loss, theirs, json.dumps(UNSEEN))
    for vectors in (firth.Vectors.load(theirs), firth.load(theirs).vectors):
        for word, numbers in zip(words, due, strict=True):
            if vectors.has_vector(word):
                np.testing.assert_array_equal(vectors[word], np.float32(numbers), err_msg=word)
        assert [word for word in words if not vectors.has_vector(word)] == ["x"]  # of which no n-gram is known
    firth.convert(theirs, again, format="fasttext")
    assert again.read_bytes() == theirs.read_bytes()
