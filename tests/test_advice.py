from firth.advice import advised_family, command
from firth.findings import Finding, Pace
from firth.preparation import Preparation


def test_a_family_for_the_patient_and_one_for_the_others() -> None:
    assert advised_family({}) == "skipgram"
    assert advised_family({"skipgram": Pace(1e6, 5, 3000), "cbow": Pace(1e6, 5, 100)}) == "skipgram"
    assert advised_family({"skipgram": Pace(1e6, 5, 4000), "cbow": Pace(1e6, 5, 3000)}) == "cbow"


def test_what_was_asked_for_and_what_mends_it_make_a_command() -> None:
    mended = [Finding("one", ""), Finding("two", "--digits zero"), Finding("three", "--layout lines")]
    asked = Preparation(layout="wrapped", cased=True, inner="-")
    others = {"--threads": 2, "--cache-dir": None}
    assert command(["a b.txt", "c"], asked, mended, {}, others) == (
        "firth train skipgram 'a b.txt' c -o corpus-skipgram --layout lines --cased --inner=- --threads 2 --digits zero"
    )
    assert command(None, Preparation(), [], {}, {}) == "firth train skipgram CORPUS -o corpus-skipgram"
