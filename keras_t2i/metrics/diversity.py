"""How much pictures of one caption differ when only the noise does."""

from collections.abc import Callable, Sequence

import numpy as np


def mean_distance(rows) -> float:
    """Averages the distance of all pairs of rows.

    Args:
        rows: (N, ...) numbers, N >= 2. Pictures or vectors.

    Returns:
        Mean over pairs of the root mean squared difference of their entries,
        in the unit of the entries: 0 when all rows are alike.

    Raises:
        ValueError: if there are fewer than two rows.
    """
    rows = np.asarray(rows, np.float64)
    if len(rows) < 2:
        raise ValueError(f"A distance needs two rows or more; got {len(rows)}.")
    rows = rows.reshape(len(rows), -1)
    distances = [
        np.sqrt(np.mean((rows[i + 1 :] - rows[i]) ** 2, axis=1))
        for i in range(len(rows) - 1)
    ]
    return float(np.concatenate(distances).mean())


def over_noises(
    generate: Callable,
    captions: Sequence[str],
    seeds: Sequence[int],
    describe: Callable = np.asarray,
) -> float:
    """Measures how much the noise alone changes the pictures of a caption.

    Args:
        generate: callable on (N captions, N seeds); answers (N, H, W, 3)
            uint8, row i drawn from caption i with the noise of seed i.
        captions: what to draw.
        seeds: two noises or more.
        describe: callable on the pictures of one caption, (seeds, H, W, 3)
            uint8; answers what is compared, one row a picture.

    Returns:
        Mean over captions of `mean_distance`: grey levels in [0, 255] unless
        `describe` answers something else.
    """
    distances = []
    for caption in captions:
        drawn = generate([caption] * len(seeds), np.asarray(seeds))
        distances.append(mean_distance(describe(drawn)))
    return float(np.mean(distances))
