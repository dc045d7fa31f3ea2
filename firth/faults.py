"""What a corpus turned out to hold that is not as it should be, counted while it is read."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

_MOST_NAMED: Final = 3
READ_IN_FOLDERS: Final = "names that end in .txt, .text, .jsonl, .ndjson, .parquet or have no suffix, compressed or not"


@dataclass
class Faults:
    """What was not as it should be, and what was passed by; counted while a corpus is read.

    Attributes:
        invalid: by file, how many stretches of invalid bytes, and NUL characters, were replaced or left out.
        dropped: markup that was left out, by its name.
        n_empty_records: records whose text is null or nothing but white space.
        passed_over: what is not read in folders: hidden files, those with other suffixes, and hidden folders, whose
            names end in a slash here.
        unmatched: files whose names `keep_from_name` does not match.
        repeated: files that are named twice, and read twice.
        remarks: what else the user should hear of, in sentences.
    """

    invalid: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    n_empty_records: int = 0
    passed_over: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Makes counters of what JSON gives back."""
        self.invalid, self.dropped = Counter(self.invalid), Counter(self.dropped)

    def sentences(self) -> list[str]:
        """A sentence for everything that the user should hear of."""
        said = []
        if self.passed_over:
            said.append(
                f"{files_told(self.passed_over)} in folders passed over; read there are {READ_IN_FOLDERS}; "
                "a pattern, as 'FOLDER/**/*.md', names others"
            )
        if self.repeated:
            said.append(f"{files_told(self.repeated)} named more than once, and read as often")
        if self.unmatched:
            said.append(f"{files_told(self.unmatched)} not matched by keep_from_name: nothing is kept from their names")
        if self.invalid:
            said.append(
                f"{self.invalid.total():,} stretches of invalid bytes replaced or left out in "
                f"{files_told(self.invalid)}"
            )
        if self.dropped:
            shown = ", ".join(f"{name} ({number:,})" for name, number in self.dropped.most_common())
            said.append(f"markup left out or made plain: {shown}")
        if self.n_empty_records:
            said.append(f"{self.n_empty_records:,} records without text left out")
        return said + self.remarks


def files_told(names: Collection[str]) -> str:
    """How many files (and folders, whose names end in a slash) there are, and the first few of them."""
    shown = ", ".join(islice(names, _MOST_NAMED)) + (", ..." if len(names) > _MOST_NAMED else "")
    n_folders = sum(name.endswith("/") for name in names)
    n_files = len(names) - n_folders
    numbers = [
        f"{number:,} {noun}{'s' * (number != 1)}"
        for number, noun in ((n_files, "file"), (n_folders, "folder"))
        if number
    ]
    return f"{' and '.join(numbers)} ({shown})"
