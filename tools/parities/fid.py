"""Frechet distance, Inception score, KID and R-precision of plain arrays.

Recorded are mseitzer/pytorch-fid's distance by SciPy's root of a matrix, and
the same through eigenvalues; scores in parts and kernel distances in float64;
and R-precision as AttnGAN's and DM-GAN's code counts it, with the last picture
of each part left out.
"""

import re

import numpy as np

from keras_t2i.metrics import inception_score, kernel, moments, r_precision

_SAME = 1e-10  # of sums that are taken in another order
_LOST = 1e-5  # what a root of a matrix without full rank may be off


def prove(ledger):
    """Enters all outputs into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of a `fid` file.

    Raises:
        ValueError: if an input is missing or misshapen.
    """
    real = ledger.input("A", (None, None))
    fake = ledger.input("B", (None, real.shape[1]))
    _prove_moments(ledger, real, fake)
    _prove_distances(ledger, real, fake)
    _prove_kernels(ledger, real, fake)
    _prove_halves(ledger, real)
    _prove_scores(ledger)
    _prove_r_precision(ledger)


def _prove_moments(ledger, real, fake):
    for name, rows in (("A", real), ("B", fake)):
        found = moments.Moments.of(rows)
        for kind, ours in (("mu", found.mean), ("sigma", found.covariance)):
            size = 1e-12 * max(1.0, np.abs(ours).max())
            ledger.compare(f"{kind}_{name}", ours, absolute=size)


def _prove_distances(ledger, real, fake):
    few = ledger.input("A_deficient", (None, real.shape[1]))
    other_few = ledger.input("B_deficient", (None, real.shape[1]))
    _prove_distance(ledger, "ab", real, fake)
    _prove_distance(ledger, "deficient", few, other_few)
    _prove_distance(ledger, "deficient_vs_full", few, fake)
    _prove_distance(ledger, "equal", real, real)


def _prove_distance(ledger, case, real, fake):
    """Compares one distance, and the part of it that means make."""
    one, two = moments.Moments.of(real), moments.Moments.of(fake)
    gap = one.mean - two.mean
    name = f"fid_{case}"
    ledger.compare(f"{name}_mean_term", gap @ gap, relative=_SAME)
    # Near to no rank at all the reference loses digits, not we.
    is_sure = min(one.count, two.count) > 2 * one.width
    allowed = {"absolute": 1e-8, "relative": 1e-9}
    if not is_sure:
        allowed = {"absolute": _LOST, "relative": 1e-7}
    elif case != "equal":
        allowed = {"relative": 1e-9}
    ours = moments.frechet_distance(one, two)
    ledger.compare(name, ours, **allowed)
    ledger.compare(f"{name}_eigh", ours, **allowed)


def _prove_kernels(ledger, real, fake):
    _prove_kernel(ledger, "kid_full", kernel.distance(real, fake))
    biased = kernel.distance(real, fake, biased=True)
    _prove_kernel(ledger, "kid_full_biased", biased)
    drawn = [
        _row_numbers(ledger, "kid_subset_a", len(real)),
        _row_numbers(ledger, "kid_subset_b", len(fake)),
    ]
    each = [
        kernel.distance(real[one], fake[two])
        for one, two in zip(*drawn, strict=True)
    ]
    _prove_kernel(ledger, "kid_subsets", each)
    mean, std = kernel.over_subsets(real, fake, drawn=drawn)
    _prove_kernel(ledger, "kid_mean", mean)
    _prove_kernel(ledger, "kid_std", std)


def _prove_kernel(ledger, name, ours):
    ledger.compare(name, ours, absolute=_SAME, relative=_SAME)


def _row_numbers(ledger, name, count):
    numbers = ledger.input(name, (None, None))
    if numbers.dtype.kind not in "iu" or numbers.max(initial=0) >= count:
        raise ValueError(f"{name} holds no numbers of {count} rows.")
    return numbers


def _prove_halves(ledger, real):
    """Compares halves; which has the middle row of an odd count isn't told."""
    half = len(real) // 2
    ways = [(half, half), (half + 1, half + 1), (half, half + 1)]
    for end, start in ways[: 1 + 2 * (len(real) % 2)]:
        one, two = real[:end], real[start:]
        _prove_distance(ledger, "halves", one, two)
        if "fid_halves_mean_term" not in ledger.missed:
            break
    _prove_kernel(ledger, "kid_self_halves", kernel.distance(one, two))


def _prove_scores(ledger):
    """Compares the scores of as many parts as were recorded."""
    logits = ledger.input("logits", (None, None))
    found = [re.match(r"is_(\d+)_", name) for name in ledger.names("is_")]
    counts = {int(match[1]) for match in found if match} or {1, 10}
    for count in sorted(counts):
        scores = inception_score.of_logits(logits, count)
        _prove_score(ledger, f"is_{count}_per_split", scores)
        _prove_score(ledger, f"is_{count}_mean", scores.mean())
        _prove_score(ledger, f"is_{count}_std", scores.std())
    order = ledger.input("is_permutation", (len(logits),))
    if not np.array_equal(np.sort(order), np.arange(len(logits))):
        raise ValueError("is_permutation is no order of the rows of logits.")
    for name in ledger.names("is_split_bounds_"):
        count = int(name.rpartition("_")[2])
        ours = inception_score.bounds(len(logits), count)
        ledger.compare(name, ours, absolute=0.0)
    for name in ledger.names("is_"):
        match = re.match(r"is_(\d+)_permuted_(mean|std)$", name)
        if match:
            scores = inception_score.of_logits(logits[order], int(match[1]))
            ours = scores.mean() if match[2] == "mean" else scores.std()
            _prove_score(ledger, name, ours)


def _prove_score(ledger, name, ours):
    ledger.compare(name, ours, absolute=_SAME, relative=_SAME)


def _prove_r_precision(ledger):
    images = ledger.input("rp_image_code", (None, None))
    own = ledger.input("rp_sentence_code", images.shape)
    count, width = images.shape
    others = ledger.input("rp_mismatch_codes", (count, None, width))
    near = r_precision.cosines(images, own, others)
    ledger.compare("rp_cosine", near, absolute=1e-6)
    hits = r_precision.hits(images, own, others)
    ledger.compare("rp_hits", hits, absolute=0.0)
    ledger.compare("rp_mean", hits.mean(), absolute=1e-12)
    (folds,) = ledger.shape("rp_split_means_reference")
    # What doesn't fill another picture of each part is beyond the last.
    parts = r_precision.reference_folds(hits[: count // folds * folds], folds)
    ledger.compare("rp_split_means_reference", parts, absolute=1e-12)
    ledger.compare("rp_mean_reference", parts.mean(), absolute=1e-12)
    ledger.compare("rp_std_reference", parts.std(), absolute=1e-12)
    ranks = np.array(
        [_ahead(*pair, own) for pair in zip(images, own, strict=True)]
    )
    # The reference meets the own text twice, computed in two ways, and counts
    # it as nearer than itself where rounding makes it so.
    ledger.compare("rp_inbatch_rank", ranks, absolute=0.0, also=ranks + 1)


def _ahead(image, own, texts):
    """Counts the texts that are nearer to a picture than its own."""
    near = r_precision.cosines(image[None], own[None], texts[None])[0]
    return np.sum(near > near[0] + r_precision.TIE)
