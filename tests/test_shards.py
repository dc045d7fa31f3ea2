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
    with pytest.raises(firth.UsageError, match="threads is 0"):
        counted(TEXT, tmp_path / "sums", threads=0)
