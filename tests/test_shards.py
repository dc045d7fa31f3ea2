"""`firth.count`: counts in a file of their own, of a corpus or of its parts."""

import pytest

import firth
from firth.cooccurrences import Cooccurrences

TEXT = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog", "on the mat a cat sat"] * 6


def counted(lines, output, **options):
    with firth.count(lines, output, **({"min_count": 1, "window": 3} | options)) as counts:
        return counts.fingerprint


def test_parts_with_one_vocabulary_add_up_to_the_whole(tmp_path):
    whole = counted(TEXT, tmp_path / "whole")
    for number, part in enumerate((TEXT[:10], TEXT[10:])):
        counted(part, tmp_path / f"part-{number}", vocabulary=tmp_path / "whole")
    counted([tmp_path / "part-0", tmp_path / "part-1"], tmp_path / "sums")
    assert (tmp_path / "sums").read_bytes() == (tmp_path / "whole").read_bytes()
    with Cooccurrences(tmp_path / "sums") as sums:
        assert sums.fingerprint == whole


def test_a_vocabulary_comes_from_a_model_a_table_or_counts(tmp_path):
    firth.train(firth.GloVe(dim=8, min_count=7), TEXT, epochs=1, threads=1, output=tmp_path / "model")
    found = []
    for number, place in enumerate((tmp_path / "model", tmp_path / "model" / "vocabulary.tsv", tmp_path / "counts-0")):
        counted(TEXT, tmp_path / f"counts-{number}", vocabulary=place, min_count=1)
        found.append((tmp_path / f"counts-{number}").read_bytes())
    assert found[0] == found[1] == found[2]
    with pytest.raises(firth.FirthError, match="not there"):
        counted(TEXT, tmp_path / "other", vocabulary=tmp_path / "missing")


def test_text_is_cut_into_words_as_that_of_the_vocabulary_was(tmp_path):
    cased = [line.replace("dog", "Dog") for line in TEXT]
    preparation = firth.Preparation(cased=True, phrases=phrases_of(tmp_path, "the Dog"))
    model = firth.train(
        firth.GloVe(dim=8, min_count=1, window=3),
        cased,
        epochs=1,
        threads=1,
        preparation=preparation,
        output=tmp_path / "model",
    )
    whole = counted(cased, tmp_path / "whole", preparation=preparation)
    for name in ("whole", "model"):
        assert counted(cased, tmp_path / f"as-{name}", vocabulary=tmp_path / name) == whole
    with Cooccurrences(tmp_path / "as-model") as counts:
        assert counts.segmentation == model.segmentation
        assert counts.value("the_Dog", "sat") > 0
    with pytest.raises(firth.UsageError, match="so must new text's: leave out digits"):
        counted(cased, tmp_path / "o", vocabulary=tmp_path / "whole", preparation=firth.Preparation(digits="zero"))


def phrases_of(folder, *phrases):
    (folder / "phrases.tsv").write_text("\n".join(phrases), encoding="utf-8")
    return folder / "phrases.tsv"


def test_a_table_in_any_order_gives_rows_as_training_orders_them(tmp_path):
    (tmp_path / "table.tsv").write_text("cat\t18\nthe\t36\nsat\t18\n", encoding="utf-8")
    counted(TEXT, tmp_path / "counts", vocabulary=tmp_path / "table.tsv")
    family = firth.GloVe(dim=8, min_count=1, window=3)
    model = firth.train(family, None, counts=tmp_path / "counts", epochs=1, threads=1)
    assert model.vocabulary.words == ["the", "cat", "sat"]


def test_strings_among_several_are_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counted(TEXT, tmp_path / "counts")
    with pytest.raises(firth.FirthError, match="NUL"):
        counted(["a\0b"], tmp_path / "nul")
    with firth.count(["counts"] * 2 + ["counts and counts"], tmp_path / "three", min_count=1) as counts:
        assert counts.n_tokens == 5
    assert counted("counts", tmp_path / "sums") == counted([tmp_path / "counts"], tmp_path / "same")


def test_what_stands_there_is_replaced_only_where_told(tmp_path):
    first = counted(TEXT, tmp_path / "counts")
    with pytest.raises(firth.UsageError, match="exists; choose another place"):
        counted(TEXT, tmp_path / "counts", window=4)
    assert counted(TEXT, tmp_path / "counts", window=4, overwrite=True) != first
    (tmp_path / "text").write_text("my own words\n")
    with pytest.raises(firth.UsageError, match="no file of counts"):
        counted(TEXT, tmp_path / "text", overwrite=True)
    assert (tmp_path / "text").read_text() == "my own words\n"


def test_text_and_counts_do_not_mix(tmp_path):
    counted(TEXT, tmp_path / "counts")
    (tmp_path / "text").write_text("\n".join(TEXT))
    with pytest.raises(firth.UsageError, match="text is text"):
        counted([tmp_path / "counts", tmp_path / "text"], tmp_path / "sums")
    with pytest.raises(firth.UsageError, match="have theirs already"):
        counted([tmp_path / "counts"], tmp_path / "sums", vocabulary=tmp_path / "counts")
    with pytest.raises(firth.UsageError, match="a cat is text"):
        counted([tmp_path / "counts", "a cat"], tmp_path / "sums")
    with pytest.raises(firth.UsageError, match="threads is 0"):
        counted(TEXT, tmp_path / "sums", threads=0)
    with pytest.raises(firth.UsageError, match="memory is 0"):
        counted([tmp_path / "missing"], tmp_path / "sums", memory=0)
