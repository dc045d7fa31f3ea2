"""The answer of a comparison: a few sentences made from its numbers, which never claim what no test tells apart."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from firth.comparison_report.language import Say, speaker
from firth.comparison_report.reading import Comparison
from firth.comparison_report.standings import KINDS, Contest, contests
from firth.files import printable

_MOST_SETS: Final = 5  # that a sentence names
_USES: Final = {
    ("similarity", None, None): "neighbours and word similarity",
    ("analogy", None, None): "analogies",
    ("outliers", None, None): "finding the word that does not belong",
    ("categories", None, None): "grouping words into categories",
    ("context", None, None): "the meaning of a word in its context",
    ("language", None, None): "language modelling",
    ("probe", "tag", None): "tagging, by a linear probe",
    ("probe", "classify", None): "classifying texts, by a linear probe",
    ("probe", "pair", None): "pairs of texts, by a linear probe",
    ("use", "tag", "features"): "tagging, with the vectors as they are",
    ("use", "classify", "features"): "classifying texts, with the vectors as they are",
    ("use", "pair", "features"): "pairs of texts, with the vectors as they are",
    ("use", "tag", "finetune"): "tagging, fine-tuned",
    ("use", "classify", "finetune"): "classifying texts, fine-tuned",
    ("use", "pair", "finetune"): "pairs of texts, fine-tuned",
    ("use", "tag", "scratch"): "tagging, from scratch",
    ("use", "classify", "scratch"): "classifying texts, from scratch",
    ("use", "pair", "scratch"): "pairs of texts, from scratch",
}
_METHODS: Final = {
    "probe": "a linear probe",
    "features": "a task, with the vectors as they are",
    "finetune": "a task, fine-tuned",
    "scratch": "a task, from scratch",
}


class Verdict(NamedTuple):
    """What a comparison says of one use.

    Attributes:
        use: What for.
        families: Whom to take: one, or several that nothing tells apart; none where it depends on the set.
        sentence: The same in words, with the numbers.
        is_choice: Whether it tells some of them from others, and these from chance.
    """

    use: str
    families: tuple[str, ...]
    sentence: str
    is_choice: bool = False


def answer(report: Mapping[str, Any], lang: str = "en") -> str:
    """The short paragraph that a report begins with.

    Args:
        report: What `report.json` holds.
        lang: `en` or `zh`.

    Raises:
        FirthError: the report lacks something that it cannot do without.
        UsageError: another language.
    """
    found = Comparison.read(report)
    return told(found, speaker(lang))


def told(found: Comparison, say: Say) -> str:
    """The short paragraph that a report begins with."""
    return say(" ").join(sentences(found, say))


def sentences(found: Comparison, say: Say) -> list[str]:
    """What was compared; whom to take for what, in short; and for each use the numbers."""
    every = verdicts(found, say)
    if not every and any(one.is_compared for one in found.variants):
        return [opening(found, say), say("Nothing was scored that would tell which of them to take.")]
    return [opening(found, say), *_in_short(every, say), *(one.sentence for one in every)]


def _in_short(every: Sequence[Verdict], say: Say) -> list[str]:
    """Whom to take for what, of several uses."""
    if len(every) < 2:
        return []
    chosen = [
        say("for {use}: {names}", use=one.use, names=say(" or ").join(map(printable, one.families)))
        for one in every
        if one.is_choice
    ]
    if chosen:
        return [say("In short, {choices}.", choices=say("; ").join(chosen))]
    return [say("In short, nothing here tells one from another; more minutes, more text or larger sets may.")]


def opening(found: Comparison, say: Say) -> str:
    """What was compared, on what, with how much."""
    families = [printable(one.name) for one in found.variants if one.is_compared]
    corpus = listed([printable(str(name)) for name in found.corpus.get("names", ())], say) or say("one corpus")
    if not families:
        return say("Nothing could be compared on {corpus}.", corpus=corpus)
    return say(
        "{families}, each trained on {corpus} {budget}{seeds}.",
        families=listed(families, say),
        corpus=corpus,
        budget=budget_of(found, say),
        seeds=say(" with {n} seeds", n=len(found.seeds)) if len(found.seeds) > 1 else say(" with one seed"),
    )


def budget_of(found: Comparison, say: Say) -> str:
    """How long each was trained."""
    minutes, words = found.budget.get("minutes"), found.budget.get("words")
    if minutes is not None:
        return say("for {n} minutes" if minutes != 1 else "for {n} minute", n=f"{minutes:g}")
    if words is not None:
        return say("for {n} words", n=f"{words:,}")
    return say("with one budget")


def listed(names: Sequence[str], say: Say) -> str:
    """Names with commas and an `and`."""
    if len(names) < 2:
        return "".join(names)
    return say("{most} and {last}", most=say(", ").join(names[:-1]), last=names[-1])


def verdicts(found: Comparison, say: Say) -> list[Verdict]:
    """What is said of each use, in the order in which they are told."""
    uses: dict[str, list[Contest]] = {}
    for contest in contests(found):
        uses.setdefault(_use(contest, say), []).append(contest)
    made = []
    for use, of_use in uses.items():
        verdict = _verdict(found, use, of_use, say)
        if verdict is not None:
            made.append(verdict)
    return made


def number(value: float, measure: str = "") -> str:
    """A score as it is shown: three digits of a share or a correlation, fewer of what is large."""
    digits = 3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}"


def _use(contest: Contest, say: Say) -> str:
    kind, _, _, method, task = contest.key
    if kind not in ("probe", "use"):
        known = _USES.get((kind, None, None))
        return say(known) if known else printable(kind)
    known = _USES.get((kind, task or "", method if kind == "use" else None))
    if known:
        return say(known)
    name = _METHODS.get((method or "") if kind == "use" else kind)
    return say("{use} ({set})", use=say(name) if name else printable(method or kind), set=printable(contest.key.set))


def _verdict(found: Comparison, use: str, of_use: Sequence[Contest], say: Say) -> Verdict | None:
    decided = [one for one in of_use if len(_compared(found, one)) > 1]
    if not decided:
        alone = [name for one in of_use for name in _compared(found, one)]
        if not alone:
            return None
        if len(of_use) > 1 and len(set(alone)) > 1:
            told = "For {use}, nothing is compared: each was measured by another number ({numbers})."
            return Verdict(use, (), say(told, use=use, numbers=_numbers(found, of_use, say)))
        sentence = say(
            "For {use}, only {name} was measured, so that nothing is compared.",
            use=use,
            name=listed([printable(name) for name in dict.fromkeys(alone)], say),
        )
        return Verdict(use, (), sentence)
    always = [name for name in decided[0].leaders if all(name in one.leaders for one in decided)]
    everyone = all(set(one.leaders) == set(_compared(found, one)) for one in decided)
    winners = {one.leaders[0] for one in decided if len(one.leaders) == 1}
    names = listed([printable(name) for name in always], say)
    numbers = _numbers(found, decided, say)
    if all(one.untested and set(one.untested) == set(one.leaders[1:]) for one in decided) and (
        len({one.leaders[0] for one in decided}) == 1
    ):
        best = printable(decided[0].leaders[0])
        told = "For {use}, {name} has the best number ({numbers}); whether that is chance was not tested."
        return Verdict(use, (), say(told, use=use, name=best, numbers=numbers) + _no_better(decided, say))
    if everyone:
        families = tuple(always)
        sentence = say(
            "For {use}, no difference could be shown between {names} ({numbers}).",
            use=use,
            names=names,
            numbers=numbers,
        )
    elif len(always) == 1 and winners == set(always):
        families = (always[0],)
        ties = [one for one in decided if len(one.leaders) > 1]
        sentence = say("For {use}, take {name} ({numbers})", use=use, name=names, numbers=numbers)
        if ties:
            sentence += say("; it is not alone in front on {sets}", sets=_sets(ties, say))
        sentence += say(".")
    elif always:
        families = tuple(always)
        if len(always) == 1:
            sentence = say(
                "For {use}, {name} is never measurably behind, but never alone in front either ({numbers}).",
                use=use,
                name=names,
                numbers=numbers,
            )
        else:
            sentence = say(
                "For {use}, {names} are a tie, ahead of the others ({numbers}).", use=use, names=names, numbers=numbers
            )
    else:
        families = ()
        sentence = say("For {use}, it depends on the set: {numbers}.", use=use, numbers=numbers)
    sentence += _cheapest(found, families, decided[0].key.kind, say) if len(families) > 1 else ""
    sentence += _doubts(decided, say)
    is_choice = bool(families) and not everyone and any(one.beat_random is not False for one in decided)
    return Verdict(use, families, sentence, is_choice)


def _compared(found: Comparison, contest: Contest) -> list[str]:
    return [one.variant for one in contest.standings if found.variant(one.variant).is_compared]


def _numbers(found: Comparison, of_use: Sequence[Contest], say: Say) -> str:
    """Each set with its leaders and their scores, and who comes next."""
    parts = []
    for contest in of_use[:_MOST_SETS]:
        scores = {one.variant: one.score for one in contest.standings}
        shown = [f"{printable(name)} {number(scores[name])}" for name in contest.leaders[:3]]
        if len(contest.leaders) > 3:
            shown.append(say("{n} more", n=len(contest.leaders) - 3))
        leaders = listed(shown, say)
        behind = [name for name in _compared(found, contest) if name not in contest.leaders]
        if behind:
            leaders = say(
                "{leaders}, then {other}", leaders=leaders, other=f"{printable(behind[0])} {number(scores[behind[0]])}"
            )
        parts.append(say("{set}: {leaders}", set=_in_sentence(contest, say), leaders=leaders))
    if len(of_use) > _MOST_SETS:
        parts.append(say("and {n} sets more", n=len(of_use) - _MOST_SETS))
    return say("; ").join(parts)


def kind_of(contest: Contest, say: Say) -> str:
    """What a contest is of."""
    return say(contest.key.kind) if contest.key.kind in KINDS else printable(contest.key.kind)


def name_of(contest: Contest, say: Say) -> str:
    """What a set and measure is called: the set, and what the set alone would not tell."""
    name, details = printable(contest.key.set), _details(contest, say)
    return say("{name} ({details})", name=name, details=say(", ").join(details)) if details else name


def _details(contest: Contest, say: Say) -> list[str]:
    kind, _, measure, method, _ = contest.key
    beside = [printable(method)] if method else []
    if kind in ("language", "context", "outliers", "use", "probe"):
        beside.insert(0, measure_of(measure, False, say))
    return beside


def measure_of(measure: str, is_lower_better: bool, say: Say) -> str:
    """What a measure is called, and which way is better."""
    known = {
        "spearman": "Spearman's correlation",
        "accuracy": "accuracy",
        "purity": "purity",
        "opp": "outlier position",
        "f1": "F1",
        "bits_per_byte": "bits per byte",
        "pseudo_perplexity": "masked pseudo-perplexity",
        "perplexity": "perplexity",
    }
    name = say(known[measure]) if measure in known else printable(measure)
    return say("{measure}, less is better", measure=name) if is_lower_better else name


def _in_sentence(contest: Contest, say: Say) -> str:
    """The same where the use has been named, and with it how the model is used."""
    if contest.key.kind in ("use", "probe"):
        return printable(contest.key.set)
    name, details = printable(contest.key.set), _details(contest, say)
    return say("{name}, {details}", name=name, details=say(", ").join(details)) if details else name


def _sets(of_use: Sequence[Contest], say: Say) -> str:
    return listed([_in_sentence(one, say) for one in of_use], say)


def _cheapest(found: Comparison, families: Sequence[str], kind: str, say: Say) -> str:
    """Which of those that nothing tells apart is the smallest, with all that scores of this kind are made of."""
    sizes = {}
    for name in families:
        known = [size for run in found.runs if run.variant == name and (size := run.bytes_for(kind))]
        if known:
            sizes[name] = sum(known) / len(known)
    if len(sizes) < len(families):
        return ""
    least = min(sizes, key=sizes.__getitem__)
    if any(sizes[other] < 1.1 * sizes[least] for other in sizes if other != least):
        return ""
    return say(
        " Of these {name} takes the least disk space ({size}).", name=printable(least), size=size_of(sizes[least])
    )


def _doubts(of_use: Sequence[Contest], say: Say) -> str:
    """What a reader must know before he believes a verdict."""
    sentence = ""
    untested = list(dict.fromkeys(printable(name) for one in of_use for name in one.untested))
    if untested:
        sentence += say(" The difference of {names} from the best was not tested.", names=listed(untested, say))
    return sentence + _no_better(of_use, say)


def _no_better(of_use: Sequence[Contest], say: Say) -> str:
    """Where chance does as well."""
    lost = [one for one in of_use if one.beat_random is False]
    return say(" On {sets} none is shown to be better than the random table.", sets=_sets(lost, say)) if lost else ""


def size_of(n_bytes: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"
