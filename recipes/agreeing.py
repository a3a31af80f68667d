"""Measures how well a pair of readers agrees on pictures it never saw."""

import numpy as np
import tensorflow as tf

from keras_t2i import weights
from keras_t2i.data import pipeline, source, vocabulary
from keras_t2i.encoders import tokenizer
from keras_t2i.metrics import evaluator, features, r_precision, retrieval
from recipes import asking, wiring

_CHUNK = 32


def vectors(pair, config, pictures: source.Pictures):
    """Reads pictures and the first caption of each.

    Args:
        pair: `weights.readers.Pair`.
        config: made by `recipes.configs.common.readers`.
        pictures: N of them.

    Returns:
        Codes (N, C) and sentences (N, C) float32. A caption that the pair
        can't read, of unknown words only, is a row of zeros: as near to one
        picture as to any other.
    """
    codes = [
        pair.image(tf.constant(batch[start : start + _CHUNK]))["code"].numpy()
        for batch in pipeline.in_order(
            pictures, config.data.image_size, config.data.fit
        )
        for start in range(0, len(batch), _CHUNK)
    ]
    return np.concatenate(codes), sentences(
        pair, asking.first_captions(pictures)
    )


def sentences(pair, captions: list[str]) -> np.ndarray:
    """Reads captions; those that can't be read are zeros.

    Args:
        pair: `weights.readers.Pair`.
        captions: N strings.

    Returns:
        (N, C) float32.
    """
    found = np.zeros((len(captions), pair.text.dim), np.float32)
    rows = np.flatnonzero([is_read(pair.text, one) for one in captions])
    for start in range(0, len(rows), _CHUNK):
        some = rows[start : start + _CHUNK]
        texts = tf.constant([captions[row] for row in some])
        found[some] = pair.text(texts)["sentence"].numpy()
    return found


def scores(pair, config, pictures: source.Pictures) -> dict[str, float]:
    """Measures retrieval on real pictures and their first captions.

    Args:
        pair: `weights.readers.Pair`.
        config: made by `recipes.configs.common.readers`.
        pictures: the test part.

    Returns:
        "r_precision" (1 of 100, or of all, mean over draws), those of
        `metrics.retrieval.recall` and, where words are learned,
        "unknown_words", the share of the captions' words that the pair
        doesn't know.
    """
    codes, told = vectors(pair, config, pictures)
    found = _measured(codes, told)
    unknown = unknown_words(pair, asking.first_captions(pictures))
    return found | ({} if unknown is None else {"unknown_words": unknown})


def ridge_scores(config, train, test) -> dict[str, float]:
    """Measures the closed-form map beside which readers are judged.

    Args:
        config: made by `recipes.configs.common.readers`: pictures reach the
            frozen network in the same way.
        train: the training pictures, on which it is fitted.
        test: the test pictures.

    Returns:
        As `scores`.
    """
    seen = weights.readers.trunk(config.image)
    reader = weights.pretrained.minilm(
        max_words=config.data.max_words, truncate=True
    )
    looked = [
        features.extract(
            _batches(part, config), seen, wiring.cache_dir() / "features"
        )["pooled"]
        for part in (train, test)
    ]
    bridge = r_precision.ridge(looked[0], asking.mean_sentences(train, reader))
    told = bridge.texts(asking.first_sentences(test, reader))
    return _measured(bridge.pictures(looked[1]), told)


def unknown_words(pair, captions: list[str]) -> float | None:
    """Counts words that a reader who learned its words never saw.

    Args:
        pair: `weights.readers.Pair`.
        captions: strings.

    Returns:
        Their share among all words; None where word pieces are read.
    """
    base = getattr(pair.text, "tokenizer", None)
    if not isinstance(base, tokenizer.Words):
        return None
    words = [w for one in captions for w in vocabulary.tokens(one)]
    known = set(base.vocabulary.words)
    return sum(word not in known for word in words) / max(len(words), 1)


def _measured(codes, told):
    count = min(r_precision.CANDIDATES, len(codes))
    mean, _ = r_precision.over_seeds(
        codes, told, evaluator.DRAWS, candidates=count
    )
    return {"r_precision": mean, **retrieval.recall(codes, told)}


def _batches(pictures, config):
    for batch in pipeline.in_order(
        pictures, config.data.image_size, config.data.fit
    ):
        for start in range(0, len(batch), _CHUNK):
            yield batch[start : start + _CHUNK]


def is_read(text, caption: str) -> bool:
    """Tells whether a reader can read a caption.

    Args:
        text: has `check`.
        caption: the caption.

    Returns:
        False if it is refused: empty, or of unknown words only.
    """
    try:
        text.check([caption])
    except ValueError:
        return False
    return True
