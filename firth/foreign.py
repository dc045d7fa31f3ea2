"""A network of another architecture than firth's own (RoBERTa, XLM-R, DistilBERT, ...), where it lies.

transformers runs it, with the extra `hf`: it is read as it is, and not trained.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from firth.errors import FirthError
from firth.files import printable
from firth.readers import Precision, Reader

FOLDER: Final = "network"
"""Where it lies in the directory of a head that stands on it."""
_SUFFIXES: Final = (".json", ".jinja", ".model", ".safetensors", ".txt")


@dataclass(frozen=True)
class Foreign:
    """A directory that `AutoModel` opens.

    Attributes:
        path: Where it is.
    """

    path: Path

    def reader(
        self,
        *,
        context_length: int | None = None,
        device: str | None = None,
        precision: Precision = "fp32",
        threads: int | None = None,
    ) -> Reader:
        """What reads sentences by it; see `firth.formats.automodel.read`."""
        from firth.formats import automodel

        return automodel.read(
            self.path, context_length=context_length, device=device, precision=precision, threads=threads
        )

    def write(self, folder: Path) -> None:
        """Copies what transformers reads of it into a folder of `folder`; no pickles, no programs."""
        place = folder / FOLDER
        place.mkdir()
        try:
            for file in sorted(self.path.iterdir()):
                if file.is_file() and file.suffix in _SUFFIXES:
                    shutil.copyfile(file, place / file.name)
        except OSError as error:
            raise FirthError(f"{printable(str(self.path))} cannot be copied: {error.strerror or error}") from None


def within(path: Path) -> Foreign | None:
    """The network in the directory of a head that stands on one; None where `path` is no such directory."""
    try:
        told = json.loads((path / "firth.json").read_bytes())
    except (OSError, ValueError):
        return None
    return Foreign(path / FOLDER) if isinstance(told, dict) and "foreign" in told else None
