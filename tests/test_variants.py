import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import UsageError
from firth.families.bert import BERT
from firth.families.cbow import CBOW
from firth.families.glove import GloVe
from firth.families.gpt import GPT
from firth.families.skipgram import Skipgram
from firth.variants import changed, of_toml, read, read_all, trials


def test_a_family_by_its_name_is_as_it_is() -> None:
    (variant,) = read_all(["skipgram"])
    assert (variant.name, variant.sizes, variant.preset) == ("skipgram", (Skipgram(),), "small")


def test_a_network_without_a_size_is_sized_by_the_budget() -> None:
    sizes = read("bert").sizes
    assert sizes[0] == BERT.tiny()
    assert sizes[-1] == BERT.base()
    assert [size.dim for size in sizes] == sorted(size.dim for size in sizes)


def test_a_network_with_a_size_is_of_that() -> None:
    assert read("bert:preset=tiny").sizes == (BERT.tiny(),)
    assert len(read("gpt:dim=64,n-layers=2,n-heads=2").sizes) == 1


def test_a_setting_that_is_no_size_leaves_the_size_to_the_budget() -> None:
    sizes = read("bert:masking-share=0.4").sizes
    assert len(sizes) > 1
    assert {size.masking_share for size in sizes} == {0.4}


def test_a_preset_wins_over_the_size_of_a_recipe() -> None:
    (family,) = read("gpt:recipe=paper,preset=tiny").sizes
    assert (family.dim, family.n_layers) == (128, 2)
    assert (family.batch_size, family.schedule) == (GPT.paper().batch_size, "cosine")


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        ("skipgram:window=10", Skipgram(window=10)),
        ("skipgram:subwords=3-6", Skipgram(subwords="3-6")),
        ("cbow:window=3,dim=50", CBOW(window=3, dim=50)),
        ("skipgram:sample=1e-4", Skipgram(sample=1e-4)),
        ("skipgram:max-size=none", Skipgram(max_size=None)),
        ("glove", GloVe()),
    ],
)
def test_settings_are_of_the_fields_types(asked: str, due: object) -> None:
    assert read(asked).sizes == (due,)


def test_commas_part_variants_and_the_settings_of_one() -> None:
    names = [variant.name for variant in read_all(["skipgram:window=10,dim=50,bert:preset=tiny", "cbow"])]
    assert names == ["skipgram:window=10,dim=50", "bert:preset=tiny", "cbow"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("word2vec", "no family is called 'word2vec'"),
        ("skipgram:widow=1", "skipgram has no setting widow"),
        ("skipgram:window", "a setting is due"),
        ("skipgram:window=wide", "window is 'wide', which is no whole number"),
        ("bert:preset=huge", "no preset of bert is called 'huge'"),
        ("skipgram:window=0", "^skipgram:window=0: window"),
        ("bert:dim=7", "^bert:dim=7: dim is 7, which 12 heads cannot share"),
        ("skipgram:objective=none_such", "objective"),
    ],
)
def test_what_is_wrong_is_said(asked: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(asked)


def test_no_two_variants_have_one_name() -> None:
    with pytest.raises(UsageError, match="a name of its own"):
        read_all(["cbow,skipgram,cbow"])


def test_a_file_lists_variants_with_their_settings() -> None:
    found = of_toml([{"family": "skipgram", "name": "wide", "window": 10}, {"family": "bert", "preset": "tiny"}])
    assert [(variant.name, variant.sizes) for variant in found] == [
        ("wide", (Skipgram(window=10),)),
        ("bert:preset=tiny", (BERT.tiny(),)),
    ]
    with pytest.raises(UsageError, match="names no family"):
        of_toml([{"window": 10}])


def test_published_models_join_by_their_names() -> None:
    found = read_all(["cbow"], ["hf:org/name", "models/glove.6B.50d.txt"])
    assert [(variant.name, variant.published) for variant in found[1:]] == [
        ("hf:org/name", "hf:org/name"),
        ("glove.6B.50d.txt", "models/glove.6B.50d.txt"),
    ]


def test_trials_begin_with_the_settings_themselves_and_differ() -> None:
    drawn = trials(read("skipgram"), 6, 1)
    assert set(drawn[0].values()) == {1.0}
    assert len({tuple(one.values()) for one in drawn}) == 6
    assert drawn == trials(read("skipgram"), 6, 1)
    assert drawn[1:] != trials(read("skipgram"), 6, 2)[1:]


def test_there_are_no_more_trials_than_settings() -> None:
    assert len(trials(read("skipgram"), 1000, 1)) == 18


def test_multiples_change_the_settings_they_name() -> None:
    assert changed(Skipgram(), {"window": 2.0, "learning_rate": 0.5}) == Skipgram(window=10, learning_rate=0.02)
    tiny = BERT.tiny()
    assert changed(tiny, {"highest_rate": 2.0, "batch_size": 1.0}).highest_rate == 2 * tiny.highest_rate


@given(st.text(max_size=20))
def test_any_name_is_read_or_refused_by_name(asked: str) -> None:
    with contextlib.suppress(UsageError):
        assert read(asked).sizes


@given(st.text(min_size=1, max_size=30))
def test_names_are_safe_for_files(name: str) -> None:
    folder = read_all((), [f"hf:{name}"])[0].folder
    assert not set(folder) & set('/\\:*?"<>|\0\n ')
