"""Slow oracles of what compares captions, pictures and branches.

All are float64, one pair at a time, from the published equations.
"""

import math

import numpy as np

from tests import harness


def waves(shape, step, start):
    """Makes numbers that are easily made elsewhere.

    Args:
        shape: tuple of int.
        step: float. How fast the wave goes.
        start: float. Where it begins.

    Returns:
        float64 array.
    """
    return np.sin(step * np.arange(math.prod(shape)) + start).reshape(shape)


def by_angle(*degrees):
    """Makes unit vectors in the plane.

    Args:
        *degrees: N floats.

    Returns:
        (N, 2) float64 array.
    """
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def cosine(one, other):
    """Compares two vectors."""
    return float(one @ other) / math.sqrt((one @ one) * (other @ other))


def shares(scores):
    """Divides 1 among scores."""
    powers = [math.exp(score) for score in scores]
    return np.array(powers) / sum(powers)


def word_score(regions, words, gammas):
    """Scores one caption of real words with one picture: eq. 7 to 10."""
    places = regions.reshape(-1, regions.shape[-1])
    divided = np.stack([shares([p @ word for word in words]) for p in places])
    total = 0.0
    for t, word in enumerate(words):
        looks = shares(gammas[0] * divided[:, t])
        seen = sum(a * place for a, place in zip(looks, places, strict=True))
        total += math.exp(gammas[1] * cosine(seen, word))
    return gammas[2] * math.log(total)


def found_among(scores, is_rival):
    """Averages -log of the share that each row's own column has."""
    losses = []
    for row, line in enumerate(scores):
        rivals = [
            math.exp(x)
            for column, x in enumerate(line)
            if column == row or is_rival(row, column)
        ]
        losses.append(math.log(sum(rivals)) - line[row])
    return harness.mean(losses)


def matched(read, gammas=(4.0, 5.0, 10.0), masks_classes=False):
    """Measures the four matching terms of a branch, one pair at a time."""
    read = {
        key: np.float64(x) if x.dtype == np.float32 else x
        for key, x in read.items()
    }
    rows = range(len(read["code"]))
    labels = read.get("label")

    def is_rival(row, column):
        is_known = masks_classes and labels[row] != -1
        return not (is_known and labels[row] == labels[column])

    words = [read["words"][row][read["mask"][row]] for row in rows]
    by_words = np.array(
        [
            [word_score(read["regions"][i], words[j], gammas) for j in rows]
            for i in rows
        ]
    )
    by_sentence = gammas[2] * np.array(
        [
            [cosine(read["code"][i], read["sentence"][j]) for j in rows]
            for i in rows
        ]
    )
    return {
        "words_of_image": found_among(by_words, is_rival),
        "image_of_words": found_among(by_words.T, is_rival),
        "sentence_of_image": found_among(by_sentence, is_rival),
        "image_of_sentence": found_among(by_sentence.T, is_rival),
    }


def drawn_together(vectors, is_positive, temperature):
    """Averages over vectors what telling their positives costs (SupCon)."""
    losses = []
    for i, anchor in enumerate(vectors):
        others = [j for j in range(len(vectors)) if j != i]
        scores = {j: cosine(anchor, vectors[j]) / temperature for j in others}
        whole = math.log(sum(math.exp(x) for x in scores.values()))
        own = [whole - scores[j] for j in others if is_positive(i, j)]
        losses.append(harness.mean(own))
    return harness.mean(losses)


def alike(labels, i, j):
    """Tells whether two rows are one or of one class."""
    return i == j or labels[i] == labels[j] != -1


def nt_xent(one, other, temperature=0.5):
    """Draws two views of each row together.

    Args:
        one: (B, C) array.
        other: (B, C) array.
        temperature: float.

    Returns:
        float.
    """
    vectors, rows = np.float64([*one, *other]), len(one)
    return drawn_together(
        vectors, lambda i, j: i % rows == j % rows, temperature
    )


def supervised(views, labels, temperature=0.5):
    """Draws all views of the rows of a class together.

    Args:
        views: list of (B, C) arrays.
        labels: (B,) ints; -1 is none.
        temperature: float.

    Returns:
        float.
    """
    vectors = np.float64([row for view in views for row in view])
    rows = len(labels)
    return drawn_together(
        vectors,
        lambda i, j: alike(labels, i % rows, j % rows),
        temperature,
    )


def unicl(codes, sentences, labels, temperature=0.5):
    """Finds captions of a class by pictures and back.

    Args:
        codes: (N, C) array.
        sentences: (N, C) array.
        labels: (N,) ints; -1 is none.
        temperature: float.

    Returns:
        float: the mean of both directions.
    """
    losses = []
    for queries, among in ((codes, sentences), (sentences, codes)):
        for i, query in enumerate(np.float64(queries)):
            scores = [cosine(query, x) / temperature for x in np.float64(among)]
            whole = math.log(sum(math.exp(x) for x in scores))
            own = [
                whole - x for j, x in enumerate(scores) if alike(labels, i, j)
            ]
            losses.append(harness.mean(own))
    return harness.mean(losses)


def classified(scores, labels):
    """Asks rows for their class.

    Args:
        scores: (B, L) array.
        labels: (B,) ints; a row of -1 counts 0.

    Returns:
        float.
    """
    told = [shares(row) for row in np.float64(scores)]
    return harness.mean(
        -math.log(row[label]) if label >= 0 else 0.0
        for row, label in zip(told, labels, strict=True)
    )


def divergence(mean, log_variance):
    """Measures how far normal distributions are from the standard one.

    Args:
        mean: (B, C) array.
        log_variance: (B, C) array.

    Returns:
        float: the mean over all numbers.
    """
    pairs = zip(np.ravel(mean), np.ravel(log_variance), strict=True)
    return harness.mean(
        -0.5 * (1.0 + spread - m * m - math.exp(spread)) for m, spread in pairs
    )
