r"""Measures what stored word vectors of a prepared set take, and their errors.

    python -m tools.measure_features --data=data/coco --split=train

Reads --captions of the set, evenly spread, with the reader of --source, keeps
the vectors as `encoders.text.embed_words` does in each of its types, and tells
bytes a caption, errors against float32 and the cosine of each word's vector
with itself; then what COCO's 414,113 training captions would take if they were
as long, with readers of 384 and 768 numbers. The last line is JSON.
"""

import json
import tempfile

import numpy as np
import tensorflow as tf
from absl import flags

from keras_t2i.data import prepared
from keras_t2i.encoders import text
from keras_t2i.ops import feature_store
from keras_t2i.weights import pretrained
from recipes import messages

_COCO = 414_113
_CHUNK = 256


def measured(encoder, captions: list[str], dtype: str) -> dict[str, float]:
    """Stores the vectors of captions and compares them with the exact ones.

    Args:
        encoder: `encoders.text.TextEncoder`.
        captions: str each, all different.
        dtype: "float16" or "int8".

    Returns:
        "bytes" a caption on the disk; mean and largest "error" of a number
        and its mean "size"; least and mean "cosine" of a word.
    """
    table, parts = np.array(captions)[:, None], []
    with tempfile.TemporaryDirectory() as folder:
        store = text.embed_words(encoder, table, folder, dtype)
        for start in range(0, len(table), _CHUNK):
            exact = encoder(tf.constant(captions[start : start + _CHUNK]))
            rows = np.arange(start, start + len(exact["mask"]))
            mask = exact["mask"].numpy()
            kept = store.rows(rows)["words"].numpy()[mask]
            parts.append(_compared(kept, exact["words"].numpy()[mask]))
        error, size, cosine = map(np.concatenate, zip(*parts, strict=True))
        return {
            "bytes": store.nbytes / len(captions),
            "mean_error": float(error.mean()),
            "largest_error": float(error.max()),
            "mean_size": float(size.mean()),
            "least_cosine": float(cosine.min()),
            "mean_cosine": float(cosine.mean()),
        }


def bytes_of(words: float, dim: int, dtype: str) -> float:
    """Computes what a caption takes.

    Args:
        words: of the caption, on average.
        dim: C.
        dtype: "float16" or "int8".

    Returns:
        Bytes: words, their scales, the sentence, the record's frame and where
        it lies.
    """
    word = 2 * dim if dtype == "float16" else dim + 4
    return words * word + 2 * dim + 16 + 8


def run(options) -> None:
    """Measures and prints.

    Args:
        options: has the values of the flags.
    """
    told = prepared.load(options.data, options.split).captions
    places = np.linspace(0, told.size - 1, min(options.captions, told.size))
    found = told.encoded(places.astype(np.int64))
    captions = sorted({caption.decode() for caption in found})
    encoder = pretrained.minilm(
        options.source, max_words=options.max_words, truncate=True
    )
    mask = encoder(tf.constant(captions))["mask"].numpy()
    words = float(mask.sum(1).mean())
    made = {"captions": len(captions), "words": words}
    for dtype in feature_store.DTYPES:
        made[dtype] = measured(encoder, captions, dtype)
        for dim in (384, 768):
            size = _COCO * bytes_of(words, dim, dtype) / 1e9
            made[dtype][f"coco_{dim}_gigabytes"] = size
        for name, value in made[dtype].items():
            print(f"{dtype:8} {name:20} {value:12.6g}")
    print(json.dumps(made))


def _compared(ours, theirs):
    """Errors and sizes of numbers, cosines of words."""
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosines = (ours * theirs).sum(1) / lengths
    return np.abs(ours - theirs).ravel(), np.abs(theirs).ravel(), cosines


def main(_):
    """Runs the tool from its flags."""
    run(flags.FLAGS)


if __name__ == "__main__":
    flags.DEFINE_string("data", None, "The prepared set.", required=True)
    flags.DEFINE_string("split", "train", "Part of the set.")
    flags.DEFINE_string("source", None, "The reader; the installed MiniLM.")
    flags.DEFINE_integer("captions", 5000, "How many are read.", lower_bound=1)
    flags.DEFINE_integer(
        "max_words", 32, "Word pieces of a caption; longer ones are cut off."
    )
    messages.run(main)
