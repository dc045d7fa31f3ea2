"""ELMo by its equations alone, in float64, from the arrays of a published file: no batches, no tricks, no firth.

Run as a program it makes the small model in formats/elmo, which tests read where published files are not at hand:
python tests/elmo_reference.py
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "formats" / "elmo"
OPTIONS = {
    "lstm": {
        "dim": 6, "projection_dim": 4, "n_layers": 2, "cell_clip": 0.5, "proj_clip": 0.4, "use_skip_connections": True,
    },
    "char_cnn": {
        "embedding": {"dim": 2}, "filters": [[1, 2], [2, 3], [4, 3]], "n_highway": 2, "n_characters": 262,
        "max_characters_per_token": 12, "activation": "relu",
    },
}  # fmt: skip
SENTENCES = [["The", "first", "sentence", "."], ["开心", "internationalisation"], ["Third"]]


def characters(word, limit):
    """The numbers of a word's characters, up to the limit."""
    special = {"<S>": [256], "</S>": [257]}
    middle = special.get(word, list(word.encode())[: limit - 2])
    ids = [258, *middle, 259]
    return ids + [260] * (limit - len(ids))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def token(weights, options, word):
    """(P,) the vector of a word without its context."""
    cnn = options["char_cnn"]
    rows = weights["char_embed"].astype(np.float64)[characters(word, cnn["max_characters_per_token"])]
    parts = []
    for number, (width, _) in enumerate(cnn["filters"]):
        filters = weights[f"CNN/W_cnn_{number}"][0].astype(np.float64)  # (width, E, count)
        stretches = [rows[first : first + width] for first in range(len(rows) - width + 1)]
        parts.append(np.max([np.einsum("we,wec->c", stretch, filters) for stretch in stretches], 0))
        parts[-1] = parts[-1] + weights[f"CNN/b_cnn_{number}"]
    x = np.concatenate(parts)
    x = np.tanh(x) if cnn["activation"] == "tanh" else np.maximum(x, 0)
    for number in range(cnn["n_highway"]):
        part = {
            name: weights[f"CNN_high_{number}/{name}"] for name in ("W_carry", "b_carry", "W_transform", "b_transform")
        }
        gate = sigmoid(x @ part["W_carry"] + part["b_carry"])
        x = gate * np.maximum(x @ part["W_transform"] + part["b_transform"], 0) + (1 - gate) * x
    return x @ weights["CNN_proj/W_proj"] + weights["CNN_proj/b_proj"]


def clamp(x, clip):
    return x if clip is None else np.clip(x, -clip, clip)


def step(weights, options, way, layer, x, h, c):
    """h and c after one more input x."""
    lstm = options["lstm"]
    prefix = f"RNN_{way}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/"
    i, j, f, o = np.split(np.concatenate([x, h]) @ weights[prefix + "W_0"] + weights[prefix + "B"], 4)
    c = clamp(sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j), lstm["cell_clip"])
    shown = sigmoid(o) * np.tanh(c)
    if prefix + "W_P_0" not in weights:
        return shown, c
    return clamp(shown @ weights[prefix + "W_P_0"], lstm["proj_clip"]), c


def nothing(options):
    """The state of a sentence before which there was none: h and c of each direction and layer."""
    lstm = options["lstm"]
    zeros = np.zeros(lstm["projection_dim"]), np.zeros(lstm["dim"])
    return {(way, layer): zeros for way in (0, 1) for layer in range(lstm["n_layers"])}


def read(weights, options, sentence, state=None):
    """(n_layers + 1, n + 2, 2 P) of a sentence and the words that bound it, and the state after it."""
    n_layers = options["lstm"]["n_layers"]
    state = dict(state or nothing(options))
    vectors = [token(weights, options, word) for word in ["<S>", *sentence, "</S>"]]
    ways = []
    for way in (0, 1):
        layers = [vectors[::-1] if way else vectors]
        for layer in range(n_layers):
            h, c = state[way, layer]
            outputs = []
            for x in layers[-1]:
                h, c = step(weights, options, way, layer, x, h, c)
                outputs.append(h + x if layer and options["lstm"]["use_skip_connections"] else h)
            state[way, layer] = h, c
            layers.append(outputs)
        ways.append(np.array([layer[::-1] if way else layer for layer in layers]))
    return np.concatenate(ways, -1), state


def random_weights(options, seed, scale=1.0):
    """Arrays of the shapes that the options ask for, large enough for the clips to matter."""
    rng = np.random.default_rng(seed)
    lstm, cnn = options["lstm"], options["char_cnn"]
    dim, cell_dim, n = lstm["projection_dim"], lstm["dim"], sum(count for _, count in cnn["filters"])
    shapes = {"char_embed": (261, cnn["embedding"]["dim"])}
    for number, (width, count) in enumerate(cnn["filters"]):
        shapes |= {f"CNN/W_cnn_{number}": (1, width, cnn["embedding"]["dim"], count), f"CNN/b_cnn_{number}": (count,)}
    for number in range(cnn["n_highway"]):
        for part in ("carry", "transform"):
            shapes |= {f"CNN_high_{number}/W_{part}": (n, n), f"CNN_high_{number}/b_{part}": (n,)}
    shapes |= {"CNN_proj/W_proj": (n, dim), "CNN_proj/b_proj": (dim,)}
    for way in (0, 1):
        for layer in range(lstm["n_layers"]):
            prefix = f"RNN_{way}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/"
            shapes |= {prefix + "W_0": (2 * dim, 4 * cell_dim), prefix + "B": (4 * cell_dim,)}
            if dim < cell_dim:
                shapes |= {prefix + "W_P_0": (cell_dim, dim)}
    return {name: (scale * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}


def write(path, arrays):
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def main():
    HERE.mkdir(exist_ok=True)
    weights = random_weights(OPTIONS, 0, 0.7)
    write(HERE / "weights.hdf5", weights)
    (HERE / "options.json").write_text(json.dumps(OPTIONS, indent=1) + "\n", encoding="utf-8")
    outputs = {}
    state = [None] * len(SENTENCES)
    for number in (1, 2):
        for row, sentence in enumerate(SENTENCES):
            layers, state[row] = read(weights, OPTIONS, sentence, state[row])
            outputs[f"pass{number}/sentence{row}"] = layers.astype(np.float32)
    write(HERE / "outputs.hdf5", outputs)


if __name__ == "__main__":
    main()
