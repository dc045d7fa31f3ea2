from firth.advice import advised_family, command
from firth.findings import Finding, Pace
from firth.preparation import Preparation


def test_the_first_family_that_takes_an_hour_at_most_is_advised() -> None:
    def advised(*seconds: float) -> str:
        families = ("skipgram", "cbow", "glove")[: len(seconds)]
        return advised_family({family: Pace(1e6, 5, time) for family, time in zip(families, seconds, strict=True)})

    assert advised() == "skipgram"
    assert advised(3000, 100, 50) == "skipgram"
    assert advised(4000, 3000, 100) == "cbow"
    assert advised(4000, 3700, 100) == "glove"
    assert advised(9000, 4000, 5000) == "cbow"
    assert advised(9000, 8000, 5000) == "glove"


def test_what_was_asked_for_and_what_mends_it_make_a_command() -> None:
    mended = [Finding("one", ""), Finding("two", "--digits zero"), Finding("three", "--layout lines")]
    asked = Preparation(layout="wrapped", cased=True, inner="-")
    others = {"--threads": 2, "--cache-dir": None}
    assert command(["a b.txt", "c"], asked, mended, {}, others) == (
        "firth train skipgram 'a b.txt' c -o corpus-skipgram --layout lines --cased --inner=- --threads 2 --digits zero"
    )
    assert command(None, Preparation(), [], {}, {}) == "firth train skipgram CORPUS -o corpus-skipgram"
