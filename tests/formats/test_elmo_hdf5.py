"""Published ELMo files: what they make of sentences, the way there and back, and what is wrong with damaged ones."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
h5py = pytest.importorskip("h5py")

import elmo_reference  # noqa: E402

from firth.blocks import ScalarMix  # noqa: E402
from firth.characters import Characters  # noqa: E402
from firth.errors import FirthError  # noqa: E402
from firth.families.elmo import ELMo  # noqa: E402
from firth.formats import elmo_hdf5  # noqa: E402

OURS = Path(__file__).parent / "elmo"
FIXTURES = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parents[3] / "shared")) / "fixtures" / "elmo"
published = pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs the published fixtures: set FIRTH_SHARED")
KINDS = [pytest.param("ours"), pytest.param("skip", marks=published), pytest.param("noskip", marks=published)]
SENTENCES = {"skip": "sentences.json", "noskip": "lm_embeddings_sentences.json"}
CLOSE = {"rtol": 0.0, "atol": 1e-5}


def folder_of(kind):
    return OURS if kind == "ours" else FIXTURES / kind


def opened(kind):
    """The family and the network of a folder, without output layer."""
    found = elmo_hdf5.find(folder_of(kind))
    assert found is not None
    published_files = elmo_hdf5.read(*found)
    return published_files.family, published_files.network(published_files.family, 0, 0).eval()


def layers_of(family, network, sentences, state=None):
    """For each sentence (D + 1, n + 2, 2 P), boundaries and all, and the state."""
    bounded = [["<S>", *sentence, "</S>"] for sentence in sentences]
    words = sorted({word for sentence in bounded for word in sentence})
    row_of = {word: row for row, word in enumerate(words)}
    with torch.no_grad():
        vectors = network.encoder(torch.from_numpy(Characters(family.max_characters).table(words)))
    lengths = torch.tensor([len(sentence) for sentence in bounded])
    ids = torch.zeros(len(bounded), int(lengths.max()), dtype=torch.int64)
    for row, sentence in enumerate(bounded):
        ids[row, : len(sentence)] = torch.tensor([row_of[word] for word in sentence])
    with torch.no_grad():
        layers, state = network.read(vectors, ids, lengths, state)
    stacked = torch.stack(layers, 1).numpy()  # (B, D + 1, T, 2 P)
    return [stacked[row, :, : len(sentence)] for row, sentence in enumerate(bounded)], state


def arrays_of(path):
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


@pytest.fixture
def pair(tmp_path):
    """A copy of our small model that may be damaged."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("options.json", "weights.hdf5"):
        shutil.copyfile(OURS / name, folder / name)
    return folder


def read(folder):
    return elmo_hdf5.read(folder / "options.json", folder / "weights.hdf5")


# --- what the models make of sentences


@published
@pytest.mark.parametrize("kind", ["skip", "noskip"])
def test_the_published_top_layers_where_the_state_is_carried(kind):
    """Row k of the batch is list k of the sentences, one after another."""
    family, network = opened(kind)
    lists = json.loads((FIXTURES / kind / SENTENCES[kind]).read_text())
    due = [arrays_of(FIXTURES / kind / f"lm_embeddings_{number}.hdf5") for number in range(3)]
    state, far = None, 0.0
    for number, sentences in enumerate(zip(*lists, strict=True)):
        found, state = layers_of(family, network, [sentence.split() for sentence in sentences], state)
        for row, layers in enumerate(found):
            expected = np.concatenate(list(due[row][str(number)]), -1)
            np.testing.assert_allclose(layers[-1, 1:-1], expected, **CLOSE)
            alone, _ = layers_of(family, network, [sentences[row].split()])
            far = max(far, float(np.abs(alone[0][-1, 1:-1] - expected).max()))
    assert far > 0.5  # with a state of nothing for each sentence they are others


@published
def test_the_published_vectors_of_words():
    _, network = opened("skip")
    words = (FIXTURES / "skip" / "vocab_test.txt").read_text().split()
    due = arrays_of(FIXTURES / "skip" / "elmo_token_embeddings.hdf5")["embedding"]
    assert due.shape == (458, 16)
    found = network.encoder(torch.from_numpy(Characters().table(words)))
    np.testing.assert_allclose(found.detach().numpy(), due, **CLOSE)


@published
@pytest.mark.parametrize("kind", ["skip", "noskip"])
def test_all_layers_states_and_mixes(kind):
    family, network = opened(kind)
    sentences = [["The", "first", "sentence", "."], ["The", "second"], ["Third"]]
    due = {name: array for name, array in arrays_of(FIXTURES / "derived_layers.hdf5").items() if name.startswith(kind)}
    first, state = layers_of(family, network, sentences)
    second, _ = layers_of(family, network, sentences, state)
    for row in range(3):
        np.testing.assert_allclose(first[row], due[f"{kind}/pass1/sentence{row}"], **CLOSE)
        np.testing.assert_allclose(second[row], due[f"{kind}/pass2/sentence{row}"], **CLOSE)
        for way in (0, 1):
            for layer in (0, 1):
                place = f"{kind}/state_after_pass1/sentence{row}/dir{way}/layer{layer}"
                np.testing.assert_allclose(state.h[row, layer, way], due[f"{place}/h"], **CLOSE)
                np.testing.assert_allclose(state.c[row, layer, way], due[f"{place}/c"], **CLOSE)
    layers = torch.zeros(3, 3, 6, family.dim)
    is_real, is_inside = torch.zeros(2, 3, 6, dtype=torch.bool)
    for row, found in enumerate(first):
        layers[:, row, : found.shape[1]] = torch.from_numpy(found)
        is_real[row, : found.shape[1]] = True
        is_inside[row, 1 : found.shape[1] - 1] = True
    for name, epsilon, mask in (
        ("plain", None, None),
        ("norm_mask_without_boundaries", 1e-12, is_inside),
        ("norm_mask_with_boundaries", 1e-13, is_real),
    ):
        mix = ScalarMix(3, norm_epsilon=epsilon)
        with torch.no_grad():
            mix.weights.copy_(torch.tensor([0.1, 0.3, 0.5]))
            mix.gamma.fill_(1.1)
            mixed = mix(list(layers), mask)
        for row in range(3):
            expected = due[f"{kind}/scalar_mix/{name}/sentence{row}"]
            np.testing.assert_allclose(mixed[row, 1 : len(expected) + 1], expected, **CLOSE)


def test_our_own_model_is_what_the_equations_made():
    """The outputs were recorded by tests/elmo_reference.py; the second pass goes on from the first one's state."""
    family, network = opened("ours")
    due = arrays_of(OURS / "outputs.hdf5")
    state = None
    for number in (1, 2):
        found, state = layers_of(family, network, elmo_reference.SENTENCES, state)
        for row, layers in enumerate(found):
            np.testing.assert_allclose(layers, due[f"pass{number}/sentence{row}"], **CLOSE)
    assert np.abs(due["pass2/sentence2"] - due["pass1/sentence2"]).max() > 0.1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cell_clip": None, "proj_clip": None},
        {"use_skip_connections": False},
        {"n_layers": 1},
        {"n_layers": 3},
        {"activation": "tanh", "n_highway": 0},
        {"filters": [[3, 4]]},
        {"projection_dim": 5, "dim": 9},
        {"projection_dim": 6},
    ],
    ids=str,
)
def test_models_of_other_shapes_are_what_the_equations_make(changes, tmp_path):
    options = json.loads(json.dumps(elmo_reference.OPTIONS))
    for part in options.values():
        part.update({name: value for name, value in changes.items() if name in part})
    weights = elmo_reference.random_weights(options, 3)
    elmo_reference.write(tmp_path / "weights.hdf5", weights)
    (tmp_path / "options.json").write_text(json.dumps(options))
    published_files = read(tmp_path)
    network = published_files.network(published_files.family, 0, 0)
    found, _ = layers_of(published_files.family, network, elmo_reference.SENTENCES)
    for layers, sentence in zip(found, elmo_reference.SENTENCES, strict=True):
        due, _ = elmo_reference.read(weights, options, sentence)
        np.testing.assert_allclose(layers, due, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_order_and_company_change_nothing(kind):
    family, network = opened(kind)
    sentences = [*elmo_reference.SENTENCES, ["a"] * 30]
    together, _ = layers_of(family, network, sentences)
    turned, _ = layers_of(family, network, sentences[::-1])
    for row, sentence in enumerate(sentences):
        (alone,), _ = layers_of(family, network, [sentence])
        np.testing.assert_allclose(together[row], alone, rtol=0, atol=2e-6)
        np.testing.assert_allclose(turned[-1 - row], alone, rtol=0, atol=2e-6)


# --- files


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_and_written_is_the_same_to_the_bit(kind, tmp_path):
    family, network = opened(kind)
    elmo_hdf5.write(tmp_path, family, network)
    _, weights = elmo_hdf5.find(folder_of(kind))
    due, found = arrays_of(weights), arrays_of(tmp_path / "weights.hdf5")
    assert sorted(found) == sorted(due)
    for name, array in due.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape) == (np.float32, array.shape)
        assert found[name].tobytes() == array.tobytes(), name
    again = read(tmp_path)
    assert again.family == family
    other = tmp_path / "other"
    other.mkdir()
    elmo_hdf5.write(other, again.family, again.network(again.family, 0, 0))
    for name in ("options.json", "weights.hdf5"):
        assert (other / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_options_are_written_as_they_are_read_elsewhere(kind, tmp_path):
    family, network = opened(kind)
    elmo_hdf5.write(tmp_path, family, network)
    given = json.loads((folder_of(kind) / "options.json").read_text())
    found = json.loads((tmp_path / "options.json").read_text())
    for part in ("lstm", "char_cnn"):
        assert found[part] == given[part]
    assert found["char_cnn"]["n_characters"] == 262


@settings(max_examples=15)
@given(st.data())
def test_any_network_is_read_as_it_was_written(tmp_path_factory, data):
    filters = data.draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=3))
    dim = data.draw(st.integers(1, 4))
    family = ELMo(
        dim=2 * dim,
        cell_dim=dim + data.draw(st.integers(0, 4)),
        n_layers=data.draw(st.integers(1, 3)),
        character_dim=data.draw(st.integers(1, 3)),
        filters=tuple(filters),
        n_highway=data.draw(st.integers(0, 2)),
        activation=data.draw(st.sampled_from(["relu", "tanh"])),
        max_characters=data.draw(st.integers(5, 60)),
        cell_clip=data.draw(st.sampled_from([None, 3.0, 0.5])),
        projection_clip=data.draw(st.sampled_from([None, 3.0])),
        residual=data.draw(st.booleans()),
    )
    network = family.network(0, data.draw(st.integers(0, 9)))
    folder = tmp_path_factory.mktemp("model")
    elmo_hdf5.write(folder, family, network)
    found = read(folder)
    assert found.family == family
    state = network.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.tensors.items())
    assert set(state) - set(found.tensors) == {"table", "output_bias"}


def test_the_output_layer_stands_beside(tmp_path):
    family = ELMo(dim=4, cell_dim=5, filters=((1, 2),))
    network = family.network(70, 1)
    elmo_hdf5.write_output(tmp_path, network)
    other = family.network(70, 2)
    elmo_hdf5.read_output(tmp_path, other)
    assert torch.equal(network.table, other.table)
    assert torch.equal(network.output_bias, other.output_bias)
    with pytest.raises(FirthError, match=r"table should be float32 \(71, 2\), and there is float32 \(70, 2\)"):
        elmo_hdf5.read_output(tmp_path, family.network(71, 0))


def test_the_pair_is_found_by_its_folder_or_by_either(tmp_path):
    assert elmo_hdf5.find(tmp_path) is None
    assert elmo_hdf5.find(tmp_path / "none") is None
    for name in ("elmo_2x_options.json", "elmo_2x_weights.hdf5", "notes.txt"):
        (tmp_path / name).touch()
    pair = tmp_path / "elmo_2x_options.json", tmp_path / "elmo_2x_weights.hdf5"
    assert elmo_hdf5.find(tmp_path) == elmo_hdf5.find(pair[0]) == elmo_hdf5.find(pair[1]) == pair
    assert elmo_hdf5.find(tmp_path / "notes.txt") is None
    for name in ("b_options.json", "b_weights.hdf5"):
        (tmp_path / name).touch()
    with pytest.raises(FirthError, match=r"holds several models: name one of b_weights\.hdf5, elmo_2x_weights\.hdf5"):
        elmo_hdf5.find(tmp_path)
    assert elmo_hdf5.find(pair[1]) == pair
    pair[0].unlink()
    (tmp_path / "b_weights.hdf5").unlink()
    assert elmo_hdf5.find(tmp_path) == (tmp_path / "b_options.json", pair[1])  # one of each


def test_a_pair_may_have_the_short_end(pair):
    (pair / "weights.hdf5").rename(pair / "weights.h5")
    assert elmo_hdf5.find(pair) == elmo_hdf5.find(pair / "weights.h5") == (pair / "options.json", pair / "weights.h5")


# --- what options may say


def changed(folder, **changes):
    """Sets or (by ...) takes out options, by their last name; adds those that are not there."""
    path = folder / "options.json"
    options = json.loads(path.read_text())
    for name, value in changes.items():
        part = next((part for part in (options["lstm"], options["char_cnn"]) if name in part), options)
        part.pop(name, None)
        if value is not ...:
            part[name] = value
    path.write_text(json.dumps(options))
    return folder


def test_what_is_not_known_is_no_matter(pair):
    due = read(pair).family
    changed(pair, bidirectional=True, reverse=False, projection_after_highway=True, n_tokens_vocab=793471)
    assert read(pair).family == due


@pytest.mark.parametrize("n_characters", [261, 262])
def test_characters_are_counted_in_two_ways(pair, n_characters):
    assert read(changed(pair, n_characters=n_characters)).family == read(OURS).family


def test_clips_may_be_null_or_missing(pair):
    for value in (None, 0, ...):
        family = read(changed(pair, cell_clip=value, proj_clip=value)).family
        assert (family.cell_clip, family.projection_clip) == (None, None)
        shutil.copyfile(OURS / "options.json", pair / "options.json")
    assert elmo_hdf5.options_of(family)["lstm"]["cell_clip"] is None


def test_the_residual_may_be_left_out_by_name_alone(pair):
    """bilm-tf looks for it whatever the model, and AllenNLP takes none to be false, which it refuses."""
    assert read(changed(pair, use_skip_connections=False)).family.residual is False
    with pytest.raises(FirthError, match=r"options\.json has no lstm\.use_skip_connections, which ELMo's options have"):
        read(changed(pair, use_skip_connections=...))


def test_a_model_whose_cells_are_not_projected_is_written_as_it_is_read(pair, tmp_path):
    """bilm-tf has no W_P_0 where a cell is as long as what it is to be projected to."""
    options = json.loads(json.dumps(elmo_reference.OPTIONS))
    options["lstm"]["projection_dim"] = 6
    weights = elmo_reference.random_weights(options, 3)
    assert not any("W_P_0" in name for name in weights)
    elmo_reference.write(pair / "weights.hdf5", weights)
    (pair / "options.json").write_text(json.dumps(options))
    found = read(pair)
    elmo_hdf5.write(tmp_path, found.family, found.network(found.family, 0, 0))
    written = arrays_of(tmp_path / "weights.hdf5")
    assert sorted(written) == sorted(weights)
    assert all(np.array_equal(written[name], weights[name]) for name in weights)
    with weights_of(pair) as file:
        file["RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0"] = np.eye(6, dtype=np.float32)
    with pytest.raises(FirthError, match=r"has a dataset RNN_0/.*/W_P_0, although lstm\.dim and lstm\.projection_dim"):
        read(pair)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dim": ...}, "has no lstm.dim"),
        ({"n_layers": ...}, "has no lstm.n_layers"),
        ({"n_highway": ...}, "has no char_cnn.n_highway"),
        ({"embedding": ...}, "has no object char_cnn.embedding"),
        ({"projection_dim": 0}, "lstm.projection_dim is 0; it must be a whole number, at least 1"),
        ({"n_layers": True}, "lstm.n_layers is true"),
        ({"n_characters": 300}, "n_characters is 300; it must be 261, or 262"),
        ({"filters": [[1]]}, "char_cnn.filters is"),
        ({"filters": None}, "char_cnn.filters is null"),
        ({"activation": "gelu\x1b"}, r"describes no network: activation is 'gelu.*'; there are 'relu', 'tanh'"),
        ({"cell_clip": "3"}, 'lstm.cell_clip is "3"; it must be a number, or null'),
        ({"proj_clip": -1}, "lstm.proj_clip is -1"),
        ({"use_skip_connections": "no"}, "use_skip_connections is"),
        ({"max_characters_per_token": 3}, "describes no network: a filter sees 4 characters, and a word has 3"),
        ({"cell_clip": 10**400}, "lstm.cell_clip is 1000"),
        ({"dim": 10**30}, "lstm.dim is 10*; it can be 1,048,576 at most"),
        ({"n_layers": 10**9}, "lstm.n_layers is 1000000000; it can be 256 at most"),
        ({"n_highway": 10**9}, "char_cnn.n_highway is 1000000000; it can be 256 at most"),
        ({"filters": [[1, 10**30]]}, "char_cnn.filters is"),
        ({"max_characters_per_token": 10**9}, "it can be 16,384 at most"),
        ({"dim": 3}, "lstm.dim is 3 and lstm.projection_dim 4: the words' vectors would be longer"),
        ({"dim": 4}, r"although lstm\.dim and lstm\.projection_dim are both 4"),
        ({"dim": 1 << 20}, r"W_0 should be floats of shape \(8, 4194304\)"),
    ],
)
def test_options_that_describe_no_network_are_told(pair, changes, said):
    with pytest.raises(FirthError, match=said):
        read(changed(pair, **changes))


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"lstm": 3}', "[" * 100_000])
def test_options_that_are_no_options_are_told(pair, text):
    (pair / "options.json").write_text(text)
    with pytest.raises(FirthError, match=r"options\.json"):
        read(pair)


# --- damaged files


def weights_of(folder):
    return h5py.File(folder / "weights.hdf5", "r+")


CELL = "RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell"


def test_a_dataset_that_is_not_there_is_named(pair):
    with weights_of(pair) as file:
        del file[f"{CELL}/W_P_0"]
    with pytest.raises(FirthError, match=f"there is no dataset {CELL}/W_P_0"):
        read(pair)
    with weights_of(pair) as file:
        del file["RNN_0"]
        file["RNN_0"] = np.zeros(3)
    with pytest.raises(FirthError, match="there is no dataset RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"):
        read(pair)


def test_a_dataset_of_another_shape_or_type_is_named(pair):
    with weights_of(pair) as file:
        del file["CNN/W_cnn_1"]
        file["CNN/W_cnn_1"] = np.zeros((1, 2, 3, 2), np.float32)
    with pytest.raises(
        FirthError, match=r"CNN/W_cnn_1 should be floats of shape \(1, 2, 2, 3\), and is float32 \(1, 2, 3, 2\)"
    ):
        read(pair)
    with weights_of(pair) as file:
        del file["CNN/W_cnn_1"]
        file["CNN/W_cnn_1"] = np.zeros((1, 2, 2, 3), np.int64)
    with pytest.raises(FirthError, match="and is int64"):
        read(pair)
    with weights_of(pair) as file:
        del file["CNN/W_cnn_1"]
        file.create_group("CNN/W_cnn_1")
    with pytest.raises(FirthError, match="CNN/W_cnn_1 should be a dataset"):
        read(pair)


def test_more_than_a_file_can_hold_is_not_made_room_for(pair):
    with weights_of(pair) as file:
        del file["char_embed"]
        file.create_dataset("embedding", (10**13, 4), np.float32, chunks=(1024, 4))
    with pytest.raises(FirthError, match="it declares 160,000,000,000,000 bytes of numbers, and has"):
        read(pair)


def test_options_without_characters_are_of_words_by_row_alone(pair):
    with pytest.raises(FirthError, match=r"has no object char_cnn, and weights\.hdf5 no dataset embedding"):
        read(changed(pair, char_cnn=...))


def test_options_of_another_model_are_told(pair):
    with pytest.raises(
        FirthError, match=r"char_embed should be floats of shape \(261, 16\), and is float32 \(261, 2\)"
    ):
        read(changed(pair, embedding={"dim": 16}))


def test_nothing_outside_of_the_file_is_read(pair, tmp_path):
    secret = tmp_path / "secret.hdf5"
    with h5py.File(secret, "w") as file:
        file["b_proj"] = np.zeros(4, np.float32)
    (tmp_path / "raw").write_bytes(bytes(16))
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "b_proj", (4,))
    for put in (
        lambda file: file.__setitem__("CNN_proj/b_proj", h5py.ExternalLink(str(secret), "b_proj")),
        lambda file: file.__setitem__("CNN_proj/b_proj", h5py.SoftLink("/CNN/b_cnn_0")),
        lambda file: file.create_dataset("CNN_proj/b_proj", (4,), "f4", external=[(str(tmp_path / "raw"), 0, 16)]),
        lambda file: file.create_virtual_dataset("CNN_proj/b_proj", layout),
    ):
        with weights_of(pair) as file:
            del file["CNN_proj/b_proj"]
            put(file)
        with pytest.raises(FirthError, match=r"CNN_proj/b_proj (is a link to elsewhere|has its data in another file)"):
            read(pair)
    with weights_of(pair) as file:
        del file["CNN_proj"]
        file["CNN_proj"] = h5py.ExternalLink(str(secret), "/")
    with pytest.raises(FirthError, match="is a link to elsewhere"):
        read(pair)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.99])
def test_a_file_that_was_cut_off_is_told(pair, share):
    data = (pair / "weights.hdf5").read_bytes()
    (pair / "weights.hdf5").write_bytes(data[: int(share * len(data))])
    with pytest.raises(FirthError, match=r"weights\.hdf5 is not a whole HDF5 file"):
        read(pair)


def test_files_that_are_not_there_are_told(pair):
    (pair / "weights.hdf5").unlink()
    with pytest.raises(FirthError, match=r"weights\.hdf5 cannot be read: No such file"):
        read(pair)
    (pair / "options.json").unlink()
    with pytest.raises(FirthError, match=r"options\.json cannot be read: No such file"):
        read(pair)


@settings(max_examples=30)
@given(st.integers(0, 1 << 30), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_read_or_told(tmp_path_factory, place, damage):
    folder = tmp_path_factory.mktemp("model")
    shutil.copyfile(OURS / "options.json", folder / "options.json")
    data = bytearray((OURS / "weights.hdf5").read_bytes())
    start = place % len(data)
    data[start : start + len(damage)] = damage
    (folder / "weights.hdf5").write_bytes(data)
    with suppress(FirthError):
        assert read(folder).family == read(OURS).family


# --- words by row


def test_a_model_that_reads_words_by_row_has_no_encoder(pair, tmp_path):
    """The vectors of its words may stand in a file of their own, or among the weights."""
    family, network = opened("ours")
    words = ["<S>", "</S>", "a", "word"]
    rows = network.encoder(torch.from_numpy(Characters(12).table(words))).detach()
    elmo_reference.write(tmp_path / "embedding.hdf5", {"embedding": rows.numpy()})
    whole = elmo_hdf5.read(pair / "options.json", pair / "weights.hdf5", tmp_path / "embedding.hdf5")
    np.testing.assert_array_equal(whole.embedding, rows)
    assert whole.network(family, 0, 0).encoder is not None
    with weights_of(pair) as file:
        for name in ("char_embed", "CNN", "CNN_high_0", "CNN_high_1", "CNN_proj"):
            del file[name]
        file["embedding"] = rows.numpy()
    bare = read(pair)
    np.testing.assert_array_equal(bare.embedding, rows)
    reader = bare.network(bare.family, 0, 0)
    assert reader.encoder is None
    ids, lengths = torch.tensor([[0, 2, 3, 1]]), torch.tensor([4])
    found, _ = reader.read(torch.from_numpy(bare.embedding), ids, lengths)
    due, _ = network.read(rows, ids, lengths)
    assert all(torch.equal(one, other) for one, other in zip(found, due, strict=True))
    elmo_hdf5.write(tmp_path, bare.family, reader)
    assert sorted(arrays_of(tmp_path / "weights.hdf5")) == sorted(arrays_of(pair / "weights.hdf5"))


def test_vectors_of_words_of_another_width_are_told(pair, tmp_path):
    elmo_reference.write(tmp_path / "embedding.hdf5", {"embedding": np.zeros((5, 3), np.float32)})
    with pytest.raises(FirthError, match=r"embedding should be floats of shape \(5, 4\), and is float32 \(5, 3\)"):
        elmo_hdf5.read(pair / "options.json", pair / "weights.hdf5", tmp_path / "embedding.hdf5")
    elmo_reference.write(tmp_path / "other.hdf5", {"vectors": np.zeros((5, 4), np.float32)})
    with pytest.raises(FirthError, match="there is no dataset embedding"):
        elmo_hdf5.read(pair / "options.json", pair / "weights.hdf5", tmp_path / "other.hdf5")


def test_a_model_without_projection_has_as_many_filters_as_it_would_project_to(pair):
    """bilm-tf leaves the product out where it would not change the length."""
    options = json.loads(json.dumps(elmo_reference.OPTIONS))
    options["lstm"] |= {"projection_dim": 8, "dim": 9}
    weights = elmo_reference.random_weights(options, 5)
    weights |= {"CNN_proj/W_proj": np.eye(8, dtype=np.float32), "CNN_proj/b_proj": np.zeros(8, np.float32)}
    due, _ = elmo_reference.read(weights, options, ["a", "word"])
    elmo_reference.write(pair / "weights.hdf5", {name: x for name, x in weights.items() if "CNN_proj" not in name})
    (pair / "options.json").write_text(json.dumps(options))
    found = read(pair)
    (layers,), _ = layers_of(found.family, found.network(found.family, 0, 0), [["a", "word"]])
    np.testing.assert_allclose(layers, due, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_written_is_told(tmp_path):
    family = replace(read(OURS).family, batch_size=1)
    with pytest.raises(FirthError, match="cannot be written"):
        elmo_hdf5.write(tmp_path / "none", family, family.network(0, 0))
