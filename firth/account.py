"""What a comparison found, as `report.json` has it: made of the records of its work, and of grades."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firth import grades, jobs, language, plan, significance
from firth.division import HELD_OUT
from firth.families.family import from_settings
from firth.files import without_folders
from firth.grades import Grades
from firth.ledger import ItemName, items_path, machine, read_items
from firth.model import COUNTING, FAMILIES, versions
from firth.undertaking import LEAST_COUNT, RANDOM_DIM, USES, Undertaking
from firth.variants import RANDOM, Variant

PAPERS: Final[Mapping[str, str]] = {
    "cbow": "mikolov2013",
    "skipgram": "mikolov2013distributed",
    "glove": "pennington2014",
    "elmo": "peters2018",
    "gpt": "radford2018",
    "bert": "devlin2019",
}
_OF_TRIALS: Final = "the held-out documents, of ELMo, GPT and BERT on the part of the text that they set aside"


class Account:
    """A comparison that has been made, told."""

    def __init__(self, work: Undertaking) -> None:
        """Of this work."""
        self.work = work

    def report(self) -> dict[str, Any]:
        """All that was found, as `report.json` has it: of the seeds that are whole."""
        self.work.progress.say("scoring what was trained")
        graded = self.work.marking.graded(self.work.seeds)
        scores = [*graded.scores, *self.judged_scores(graded), *self.language_scores(graded), *self.use_scores(graded)]
        missing = [*self.notes_of_seeds(), *graded.missing, *self.notes_of_failures()]
        words = None if self.work.asked.words is None else round(self.work.asked.words)
        report = {
            "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
            "versions": versions(),
            "machine": "; ".join(self.machines()),
            "command": self.work.asked.command,
            "python": self.python(),
            "corpus": {
                "names": [Path(name).name for name in self.work.text.name.split(", ")],
                "fingerprint": self.work.text.fingerprint,
                "n_documents": self.work.text.n_documents,
                "n_words": self.work.n_words,
                "n_held_out_documents": self.work.text.n_held_out_documents,
                "n_held_out_bytes": self.work.text.n_held_out_bytes,
                "segmentation": self.work.segmentation.method,
                "language": self.work.lang,
            },
            "budget": {"minutes": self.work.asked.minutes, "words": words},
            "counts": self.work.asked.counts,
            "seeds": list(self.work.seeds),
            "variants": [*map(self.told_of, self.work.asked.variants), self.told_of_random()],
            "runs": list(self.runs()),
            "scores": scores,
            "coverage": graded.coverage,
            "differences": graded.differences,
            "best_layers": graded.best_layers,
            "neighbours": graded.neighbours,
            "overlaps": graded.overlaps,
            "missing": missing,
            "notes": list(self.notes(graded)),
        }
        return dict(without_folders(jobs.finite(report)))

    def python(self) -> str:
        """The call that makes the report again."""
        asked = self.work.asked
        budget = f"minutes={asked.minutes:g}" if asked.minutes is not None else f"words={asked.words:g}"
        names = ",".join(variant.name for variant in self.work.asked.variants if not variant.published)
        return f'firth.compare(corpus, {names!r}, {budget}, seeds={len(asked.seeds)}, output="report")'

    def machines(self) -> list[str]:
        """Where it was made: of several sittings on several machines, all of them."""
        records = [*self.work.records.found.values()]
        return list(dict.fromkeys(one["machine"] for one in records if "machine" in one)) or [machine()]

    def each(self, work: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The records of a kind of work that ended well, and what it found."""
        for one in self.work.records.found.values():
            if one["work"] == work and "ok" in one and one["seed"] in self.work.seeds:
                yield one, one["ok"]

    def items_of(self, one: Mapping[str, Any]) -> dict[ItemName, NDArray[np.float64]]:
        """The items that a piece of work found."""
        return read_items(items_path(self.work.folder, one["work"], one["variant"], one["seed"], one["of"]))

    def judged_scores(self, graded: Grades) -> Iterator[dict[str, Any]]:
        """What sets of words in sentences came to; best layers and differences are added to the grades."""
        items: dict[grades.Key, dict[str, dict[int, dict[int, Any]]]] = {}
        for one, found in self.each("judge"):
            stored = self.items_of(one)
            for place, layer in enumerate(found["layers"]):
                told = _score(one, "context", one["of"], layer["measure"], layer["score"], layer["n_items"])
                number = layer["layer"] or 0
                yield told | {"layer": number, "method": layer["method"], "n_known": layer["n_known"]}
                key: grades.Key = ("context", one["of"], layer["measure"], layer["method"])
                of_layer = items.setdefault(key, {}).setdefault(one["variant"], {}).setdefault(number, {})
                of_layer[one["seed"]] = stored[(place,)]
        for key, of_key in items.items():
            if answered := _answered(graded, key, of_key):
                grades.take_items(graded, key, answered, seed=self.work.asked.seeds[0])

    def language_scores(self, graded: Grades) -> Iterator[dict[str, Any]]:
        """Bits per byte and pseudo-perplexity; differences on the same documents, or words, are added to the grades."""
        name = HELD_OUT.partition(".")[0]
        items: dict[str, dict[str, dict[int, Any]]] = {}  # by measure, variant and seed
        for one, found in self.each("matrices"):
            if (cost := found.get("language")) is None:
                continue
            of_text = np.asarray(cost["items"], np.float64)
            told = _score(one, "language", name, cost["measure"], cost["value"], cost["n"])
            if len(of_text) > 1:
                interval = significance.interval(cost["measure"], of_text, n_samples=grades.SAMPLES_OF_LAYER)
                told |= {"low": interval.low, "high": interval.high}
                items.setdefault(cost["measure"], {}).setdefault(one["variant"], {})[one["seed"]] = of_text
            yield told
        for measure, of_measure in items.items():
            of_key = {variant: {0: runs} for variant, runs in of_measure.items()}
            if _are_of_the_same(run for runs in of_measure.values() for run in runs.values()):
                key: grades.Key = ("language", name, measure, None)
                grades.take_items(graded, key, of_key, seed=self.work.asked.seeds[0])

    def use_scores(self, graded: Grades) -> Iterator[dict[str, Any]]:
        """What tasks and probes came to; best layers and differences are added to the grades."""
        items: dict[grades.Key, dict[str, dict[int, dict[int, Any]]]] = {}
        kinds = {task.name: task.task for task in self.work.tasks}
        for one, found in self.each("use"):
            name, _, use = one["of"].rpartition(" ")
            told = _score(one, "use", name, found["measure"], found["score"], found["n_items"])
            for method in USES if use == "scratch" else (use,):  # the random table is beside both
                yield told | {"method": method, "task": kinds.get(name)}
                if (answered := self.items_of(one) if found["has_items"] else None) is not None:
                    key: grades.Key = ("use", name, found["measure"], method)
                    of_run = items.setdefault(key, {}).setdefault(one["variant"], {}).setdefault(0, {})
                    of_run[one["seed"]] = answered[()]
        for one, found in self.each("probe"):
            stored = self.items_of(one)
            for place, layer in enumerate(found["layers"]):
                told = _score(one, "probe", one["of"], layer["measure"], layer["score"], layer["n_items"])
                yield told | {"layer": layer["layer"], "task": kinds.get(one["of"])}
                if layer["layer"] == found["best"]:
                    key = ("probe", one["of"], layer["measure"], None)
                    items.setdefault(key, {})[one["variant"]] = {layer["layer"]: {one["seed"]: stored[(place,)]}}
        for key, of_key in items.items():
            chosen_by = "the development examples" if key[0] == "probe" else None
            grades.take_items(graded, key, of_key, chosen_by=chosen_by, seed=self.work.asked.seeds[0])

    def told_of(self, variant: Variant) -> dict[str, Any]:
        """A variant as the report has it."""
        runs = [self.work.records.get("train", variant.name, seed) or {} for seed in self.work.seeds]
        measured = self.work.records.get("matrices", variant.name, self.work.asked.seeds[0]) or {}
        told = next((run["ok"]["family"] for run in runs if "ok" in run), None)
        if variant.published:
            told = measured.get("ok", {}).get("family")
        family = from_settings(FAMILIES, told) if told else None
        left_out = next((run["left_out"] for run in runs if "left_out" in run), None)
        if variant.published and "failed" in measured:
            left_out = measured["failed"]
        name = variant.family or (family.name if family else "published")
        return {
            "name": variant.name,
            "family": name,
            "preset": _preset(family),
            "hyperparameters": {key: value for key, value in (told or {}).items() if key != "name"},
            "n_layers": measured.get("ok", {}).get("n_layers", 1),
            "paper": PAPERS.get(name),
            "published": variant.published is not None,
            "random": False,
            "left_out": left_out,
            "trials": self.work.tried(variant),
        }

    def told_of_random(self) -> dict[str, Any]:
        """The random table as the report has it."""
        drawn = {"dim": RANDOM_DIM, "distribution": f"uniform from -{0.5 / RANDOM_DIM:g} to {0.5 / RANDOM_DIM:g}"}
        return {
            "name": RANDOM, "family": RANDOM, "preset": None, "hyperparameters": drawn, "n_layers": 1, "paper": None,
            "published": False, "random": True, "left_out": None, "trials": [],
        }  # fmt: skip

    def runs(self) -> Iterator[dict[str, Any]]:
        """What every training took, and every published model."""
        for variant in self.work.asked.variants:
            for seed in self.work.seeds if not variant.published else self.work.seeds[:1]:
                trained = self.work.records.get("train", variant.name, seed) or {}
                measured = self.work.records.get("matrices", variant.name, seed) or {}
                if "left_out" in trained:
                    continue
                yield self.run_of(variant, seed, trained, measured)

    def run_of(
        self, variant: Variant, seed: int, trained: Mapping[str, Any], measured: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One of them."""
        found, then = trained.get("ok", {}), measured.get("ok", {})
        failed = trained.get("failed") or measured.get("failed")
        epochs = found.get("epochs")
        n_words = self.work.n_words
        words = None if epochs is None else round(epochs * n_words)
        layer = self.layer_of_curve(variant)
        return {
            "variant": variant.name,
            "seed": seed,
            "model": f"models/{variant.folder}-{seed}" if not variant.published else variant.published,
            "failed": failed,
            "seconds": {
                "prepare": self.prepare_seconds(variant, found),
                "train": found.get("seconds"),
                "matrices": then.get("matrices_seconds"),
                "measure": then.get("measure_seconds"),
            },
            "words": words,
            "words_per_second": None if not words else words / max(found["seconds"], 1e-9),
            "flops": found.get("flops"),
            "parameters": found.get("parameters", then.get("parameters")),
            "peak_mib": found.get("peak_mib", then.get("peak_mib")),
            "bytes": found.get("bytes"),
            "matrices_bytes": then.get("matrices_bytes", None if variant.is_contextual else 0),
            "lookup_ms": then.get("lookup_ms"),
            "sentence_ms": then.get("sentence_ms"),
            "losses": [[seconds, passes * n_words, nats] for seconds, passes, nats in found.get("losses", ())],
            "loss_unit": found.get("loss_unit", "nats"),
            "curve": [
                {"seconds": point["seconds"], "words": point["epochs"] * self.work.n_words, "set": point["set"],
                 "score": point["score"], "layer": point["layer"],
                 "n_asked": point.get("n_asked"), "n_answered": point.get("n_answered")}
                for point in found.get("curve", ()) if point["layer"] == layer and point["score"] is not None
            ],
            "device": found.get("device"),
            "threads": found.get("threads"),
        }  # fmt: skip

    def layer_of_curve(self, variant: Variant) -> int:
        """The layer that a network in training is told of: the last but one of several; it is not chosen by scores."""
        found = (self.work.records.get("matrices", variant.name, self.work.asked.seeds[0]) or {}).get("ok", {})
        return max(0, int(found.get("n_layers", 1)) - 2)

    def prepare_seconds(self, variant: Variant, found: Mapping[str, Any]) -> float | None:
        """What came before a training: as long as it took where nothing of it was in the cache yet."""
        if variant.published or not found:
            return None
        first = [one["ok"] for one in self.work.records.found.values() if one["work"] == "train" and "ok" in one]
        alike = [one["prepare_seconds"] for one in first if one["family"]["name"] == variant.family]
        seconds = {name: max(one.get(name, 0.0) for one in alike) for name in jobs.PREPARING}
        if not variant.is_contextual:
            seconds["encode_seconds"] = max(seconds["encode_seconds"], self.work.seconds_of_encoding)
        return float(round(sum(seconds.values()), 3))

    def notes_of_seeds(self) -> Iterator[str]:
        """What is still to come, in a sentence."""
        if self.work.seeds != list(self.work.asked.seeds):
            done, asked = len(self.work.seeds), len(self.work.asked.seeds)
            yield f"{done} of {asked} seeds are done so far, and the report is of these"

    def notes_of_failures(self) -> Iterator[str]:
        """What failed or was left out, in sentences."""
        for one in self.work.records.found.values():
            where = f"{one['variant']}, seed {one['seed']}" + (f", {one['of']}" if one["of"] else "")
            if why := one.get("left_out"):
                yield f"{where} was left out: {why}"
            elif why := one.get("failed"):
                yield f"{where} failed ({one['work']}): {why}"
            elif why := one.get("ok", {}).get("missing"):
                yield f"{where}: no language measure: {why}"
        if not self.work.text.n_held_out_documents:
            yield "the text is too small to hold a part of it out: there is no language measure"
        if not self.work.questions:
            yield "no evaluation set was given or found: words are not scored"

    def notes(self, graded: Grades) -> Iterator[str]:
        """How it was done, for the Methods."""
        text = self.work.text
        yield (
            f"The same {text.n_held_out_documents:,} documents ({text.n_held_out_bytes:,} bytes, drawn by the seed) "
            "were held out of all trainings; of the rest, ELMo, GPT and BERT set half a percent aside to watch their "
            "own loss."
        )
        yield (
            f"All scores are of the {_from_to(graded.n_words)} words that every model knows, cut by one segmentation "
            f"({self.work.segmentation.method}): the {self.work.asked.top:,} most frequent and those that the sets ask "
            f"for, of words that occur {LEAST_COUNT} times."
        )
        yield (
            "Sizes: ELMo, GPT and BERT the largest preset that sees one token for each weight of its blocks within the "
            "budget at the speed measured here, of no more than 16 passes over the text; the others 100 dimensions, "
            "unless told."
        )
        counting = next((one.sizes[0] for one in self.work.trained if one.family in COUNTING), None)
        if counting is not None and self.work.asked.words is not None:
            n_counted = min(round(self.work.asked.words), self.work.n_words)
            yield (
                f"GloVe counts the first {n_counted:,} words of the text alone, and passes {counting.default_epochs} "
                "times over the counts."
            )
        yield (
            f"Static vectors of a network's layers are means over at most {jobs.CONTEXTS} contexts of a word, read in "
            f"about a tenth of the budget beside it; while it trains, over {jobs.CURVE_CONTEXTS}, of the last layer "
            "but one."
        )
        yield (
            "Bits per byte are of the held-out documents; what a vocabulary lacks is charged for as spelt out at 8 "
            f"bits a byte. BERT's pseudo-perplexity is of {language.SAMPLED_WORDS} words drawn by the seed, each "
            "hidden with the rest of its pieces."
        )
        if self.work.tasks:
            head = jobs.HEAD
            yield (
                "Behind every model stands the same head for a task: a CNN over words, trained for "
                f"{head['epochs']:g} passes at most, of batches of {head['batch_size']}, and no more than "
                f"{head['patience']} without a better score on dev. Probes and tasks are of the first seed alone: "
                "their differences hold for other examples, not for other trainings."
            )
        if self.work.asked.trials > 1:
            asked = self.work.asked
            by = "a development file of word pairs" if asked.dev else _OF_TRIALS
            yield (
                f"Each variant was tried with {asked.trials} settings, {plan.TRIAL_SHARE:.0%} of the budget each, "
                f"chosen on {by}; never on the sets that are reported."
            )


def _answered(
    graded: Grades, key: grades.Key, of_key: Mapping[str, Mapping[int, Mapping[int, Any]]]
) -> dict[str, dict[int, dict[int, Any]]]:
    """The items of those that answer half of a set; the others would leave the rest little to be scored by."""
    kept: dict[str, dict[int, dict[int, Any]]] = {}
    for variant, layers in of_key.items():
        for layer, seeds in layers.items():
            for seed, items in seeds.items():
                n_known = grades.n_answered(items)
                if n_known >= grades.LEAST_KNOWN * len(items):
                    kept.setdefault(variant, {}).setdefault(layer, {})[seed] = items
                    continue
                told = (
                    f"{variant}, seed {seed}, answers {n_known:,} of the {len(items):,} questions of {key[1]} alone, "
                    "and is not compared with the others by them"
                )
                if told not in graded.missing:
                    graded.missing.append(told)
    return kept


def _preset(family: Any) -> str | None:
    return None if family is None else Variant(name="", sizes=(family,)).preset


def _score(
    one: Mapping[str, Any], kind: str, name: str, measure: str, score: float | None, n_items: int | None
) -> dict[str, Any]:
    """A score of what is no set of words, as the report has it."""
    return {
        "variant": one["variant"], "seed": one["seed"], "layer": None, "kind": kind, "set": name, "measure": measure,
        "method": None, "score": score, "low": None, "high": None, "n_items": n_items, "n_known": n_items,
        "words": "own",
    }  # fmt: skip


def _from_to(numbers: Sequence[int]) -> str:
    """A number, or between what several lie, as those of words that models of different seeds know."""
    return "\N{EN DASH}".join(f"{number:,}" for number in dict.fromkeys((min(numbers), max(numbers))))


def _are_of_the_same(runs: Iterable[NDArray[np.float64]]) -> bool:
    """Whether items of language are of the same documents, of as many bytes each, or of as many words."""
    first, *others = [run[:, 1] if run.ndim > 1 else np.ones(len(run)) for run in runs]
    return all(np.array_equal(first, other) for other in others)
