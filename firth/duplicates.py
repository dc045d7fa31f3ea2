"""How many lines and documents of an encoded corpus have the words of one before, in bounded memory."""

from typing import Final, NamedTuple

import numpy as np

from firth.counting import HashedSequences, HashSample
from firth.tokens import EncodedCorpus

MOST_HASHES: Final = 1 << 22
"""Lines, and documents, that are remembered at most: 64 MiB for each of the two, and 16 for what came again early."""

_TOKENS_AT_ONCE: Final = 1 << 22


class Duplicates(NamedTuple):
    """What a corpus has more than once, the first of each left out of the count.

    Attributes:
        n_lines: Lines.
        line_words: The words in them.
        n_documents: Documents.
        document_words: The words in them.
        is_exact: Whether all were counted; else the numbers are told from a share of the lines or documents.
    """

    n_lines: int
    line_words: int
    n_documents: int
    document_words: int
    is_exact: bool


def count_duplicates(encoded: EncodedCorpus, most_hashes: int = MOST_HASHES) -> Duplicates:
    """How many lines and documents have the words of one before, by 64-bit hashes.

    Args:
        encoded: The corpus.
        most_hashes: Up to so many different lines, and documents, the numbers are exact; beyond, a share of them that
            their hashes choose stands for all.
    """
    lines, documents = HashedSequences(), HashedSequences()
    met_lines, met_documents = HashSample(most_hashes), HashSample(most_hashes)
    n_lines = line_words = n_documents = document_words = 0.0
    done_lines = done_documents = 0
    line_end = document_end = 0  # words before
    for start in range(0, encoded.n_tokens, _TOKENS_AT_ONCE):
        stop = min(start + _TOKENS_AT_ONCE, encoded.n_tokens)
        until_line = int(np.searchsorted(encoded.line_ends, stop, side="right"))
        until_document = int(np.searchsorted(encoded.document_ends, until_line, side="right"))
        line_ends = np.array(encoded.line_ends[done_lines:until_line], dtype=np.int64)
        document_ends = np.array(encoded.document_ends[done_documents:until_document], dtype=np.int64)
        hashes = lines.add(encoded.type_ids[start:stop].astype(np.uint64), line_ends - start)
        again = met_lines.add(hashes)
        n_lines += float(again.sum())
        line_words += float(again @ np.diff(line_ends, prepend=line_end))
        again = met_documents.add(documents.add(hashes, document_ends - done_lines))
        word_ends = np.array(encoded.line_ends[document_ends - 1], dtype=np.int64)
        n_documents += float(again.sum())
        document_words += float(again @ np.diff(word_ends, prepend=document_end))
        done_lines, done_documents = until_line, until_document
        line_end = int(line_ends[-1]) if len(line_ends) else line_end
        document_end = int(word_ends[-1]) if len(word_ends) else document_end
    return Duplicates(
        # What stands for others may come to more than there is.
        min(round(n_lines), max(0, done_lines - 1)),
        min(round(line_words), encoded.n_tokens),
        min(round(n_documents), max(0, done_documents - 1)),
        min(round(document_words), encoded.n_tokens),
        met_lines.is_whole and met_documents.is_whole,
    )
