"""Models written as other libraries open them, where that is more than a file of vectors."""

import os
import tempfile
from pathlib import Path

from firth import hub
from firth.extraction import OURS
from firth.files import appearing, check_output, json_object
from firth.formats import sentence_transformers
from firth.model import OF_PIECES, Model, load
from firth.vectors import Vectors


def to_sentence_transformers(
    model: Model | Vectors | str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    layer: int | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a directory that `SentenceTransformer(path)` opens; the library need not be installed.

    A BERT or GPT is written as its network, and a text's vector is the mean of its pieces' in the last layer, those of
    the special pieces too. Of anything else, and of a layer that is named, the static matrix is written
    (`StaticEmbedding`), and a text's vector is the mean of its words' vectors as they stand; words that are not known
    are left out. Text is cut there as the matrix' own was, but for what needs a dictionary: Chinese by method `chinese`
    is to be given as words parted by white space, and phrases joined.

    Args:
        model: A model, vectors, or where they are; a published Hugging Face directory, too.
        target: The directory to write.
        layer: Of the static matrices, as `Vectors.layer` numbers them.
        overwrite: Whether a directory that is a model of firth's may be replaced.

    Raises:
        UsageError: `target` exists; there is no such layer.
        FirthError: no such model, or one without what is asked for.
    """
    target = Path(target)
    check_output(target, overwrite=overwrite)
    if isinstance(model, str | os.PathLike):
        source = hub.found(model).path
        is_network = layer is None and sentence_transformers.is_network(source)
        is_ours = is_network and json_object(source / "config.json").get("model_type") in OURS
        if is_network and (not is_ours or (source / "tokenizer.json").is_file()):
            with appearing(target) as folder:
                sentence_transformers.write_network(folder, source)
            return
        model = load(source) if is_network else Vectors.load(source)  # of vocab.txt alone, a tokenizer is written anew
    if isinstance(model, Model):
        if layer is None and model.family.name in OF_PIECES:
            with tempfile.TemporaryDirectory(prefix="firth-") as beside, appearing(target) as folder:
                model.save(Path(beside, "model"))
                sentence_transformers.write_network(folder, Path(beside, "model"))
            return
        model = model.vectors
    vectors = model.layer(model.layer_numbers[-1] if layer is None else layer)
    with appearing(target) as folder:
        sentence_transformers.write_static(folder, vectors.words, vectors.matrix, vectors.segmentation)
