"""Distances and scores of plain arrays beside what was recorded."""

import pathlib
import tempfile

import numpy as np
import scipy.linalg
import tensorflow as tf
from absl.testing import parameterized

from tools import parity
from tools.parities import fid

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "fid.npz"


def recorded():
    """Reads the whole file."""
    with np.load(GOLDEN) as file:
        return {name: file[name] for name in file.files}


def proved(arrays):
    """Proves the family once, without moving inputs."""
    ledger = parity.Ledger(arrays)
    fid.prove(ledger)
    return ledger


# The same arrays, of any sizes, by plain formulas and SciPy's root.


def drawn(seed=0, a=70, b=61, width=12, logits=97, splits=(1, 3), codes=23):
    """Draws inputs, and computes what a reference would record of them."""
    rng = np.random.default_rng(seed)

    def features(rows):
        mix = rng.normal(size=(width, width))
        return np.float32(np.abs(rng.normal(0.3, 1.0, (rows, width)) @ mix))

    found = {"A": features(a), "B": features(b)}
    found |= {"A_deficient": found["A"][:9], "B_deficient": found["B"][:7]}
    found |= _distances(found) | _kernels(found, rng)
    found["logits"] = np.float32(rng.normal(0.0, 3.0, (logits, 6)))
    found |= _scores(found["logits"], rng.permutation(logits), splits)
    return found | _codes(rng, codes)


def _distances(inputs):
    real, fake = (np.float64(inputs[name]) for name in "AB")
    half = len(real) // 2
    found = (
        _distance("ab", real, fake)
        | _distance("deficient", real[:9], fake[:7])
        | _distance("deficient_vs_full", real[:9], fake)
        | _distance("equal", real, real)
        | _distance("halves", real[:half], real[half:])
    )
    for name, rows in (("A", real), ("B", fake)):
        found |= {f"mu_{name}": rows.mean(0), f"sigma_{name}": np.cov(rows.T)}
    return found


def _distance(name, one, two):
    gap = one.mean(0) - two.mean(0)
    ours, theirs = np.cov(one.T), np.cov(two.T)
    traces = gap @ gap + np.trace(ours + theirs)
    root = scipy.linalg.sqrtm(ours @ theirs)
    values = np.linalg.eigvals(ours @ theirs).astype(complex)
    return {
        f"fid_{name}_mean_term": gap @ gap,
        f"fid_{name}": traces - 2.0 * np.trace(root).real,
        f"fid_{name}_eigh": traces - 2.0 * np.sqrt(values).real.sum(),
    }


def _kernels(inputs, rng):
    real, fake = (np.float64(inputs[name]) for name in "AB")

    def draws(count):
        rows = [rng.choice(count, 10, replace=False) for _ in range(4)]
        return np.array(rows)

    one, two = draws(len(real)), draws(len(fake))
    values = [_kernel(real[i], fake[j]) for i, j in zip(one, two, strict=True)]
    half = len(real) // 2
    biased = [_similar(each, each).mean() for each in (real, fake)]
    return {
        "kid_full": _kernel(real, fake),
        "kid_full_biased": sum(biased) - 2.0 * _similar(real, fake).mean(),
        "kid_self_halves": _kernel(real[:half], real[half:]),
        "kid_subset_a": one,
        "kid_subset_b": two,
        "kid_subsets": np.array(values),
        "kid_mean": np.mean(values),
        "kid_std": np.std(values),
    }


def _similar(one, two):
    return (one @ two.T / one.shape[1] + 1.0) ** 3


def _kernel(one, two):
    total = -2.0 * _similar(one, two).mean()
    for rows in (one, two):
        table = _similar(rows, rows)
        pairs = len(rows) * (len(rows) - 1)
        total += (table.sum() - np.trace(table)) / pairs
    return total


def _scores(logits, order, splits):
    shares = np.exp(np.float64(logits))
    shares /= shares.sum(1, keepdims=True)

    def scores(rows, count):
        parts = [
            rows[i * len(rows) // count : (i + 1) * len(rows) // count]
            for i in range(count)
        ]
        return np.array(
            [
                np.exp(np.mean(np.sum(p * np.log(p / p.mean(0)), 1)))
                for p in parts
            ]
        )

    found = {"is_permutation": order}
    for count in splits:
        values = scores(shares, count)
        moved = scores(shares[order], count)
        found |= {
            f"is_{count}_per_split": values,
            f"is_{count}_mean": values.mean(),
            f"is_{count}_std": values.std(),
            f"is_{count}_permuted_mean": moved.mean(),
            f"is_{count}_permuted_std": moved.std(),
            f"is_split_bounds_{count}": np.array(
                [i * len(logits) // count for i in range(count + 1)]
            ),
        }
    return found


def _codes(rng, count, folds=4, others=8, width=5):
    images = rng.normal(size=(count, width))
    own = images + rng.normal(size=(count, width))
    rest = rng.normal(size=(count, others, width))

    def cosine(x, y):
        return x @ y / np.linalg.norm(x) / np.linalg.norm(y)

    near = np.array(
        [
            [cosine(image, text) for text in [mine, *theirs]]
            for image, mine, theirs in zip(images, own, rest, strict=True)
        ]
    )
    hits = (near.argmax(1) == 0).astype(float)
    size = count // folds
    parts = [hits[i * size : (i + 1) * size - 1].mean() for i in range(folds)]
    ranks = [
        sum(cosine(image, text) > near[i, 0] + 1e-12 for text in own)
        for i, image in enumerate(images)
    ]
    return {
        "rp_image_code": images,
        "rp_sentence_code": own,
        "rp_mismatch_codes": rest,
        "rp_hits": hits,
        "rp_cosine": near,
        "rp_mean": hits.mean(),
        "rp_split_means_reference": np.array(parts),
        "rp_mean_reference": np.mean(parts),
        "rp_std_reference": np.std(parts),
        "rp_inbatch_rank": np.array(ranks),
    }


class ParityTest(tf.test.TestCase, parameterized.TestCase):
    """What the tool says of honest and of changed files."""

    def test_everything_recorded_holds(self):
        ledger = parity.prove(GOLDEN, "fid")
        self.assertEmpty(ledger.faults)
        self.assertRegex(
            ledger.summary(), "^52 arrays: 0 weights, 11 inputs, .* 41 outputs"
        )
        told = str(ledger)
        for name in recorded():
            self.assertRegex(told, rf"(?m)^  (ok .*  )?{name}( |:|$)")

    @parameterized.parameters(
        {},
        {"seed": 1, "a": 71, "b": 90, "logits": 100, "splits": (5,)},
        {"seed": 2, "a": 10, "b": 40},  # fewer rows than features
        {"seed": 3, "width": 3, "codes": 40, "splits": (1, 2, 10, 97)},
    )
    def test_other_sizes_hold(self, **sizes):
        arrays = drawn(**sizes)
        ledger = proved(arrays)
        self.assertEmpty(ledger.faults, str(ledger))
        told = str(ledger)
        for name in arrays:
            self.assertRegex(told, rf"(?m)^  (ok .*  )?{name}( |:|$)")

    @parameterized.parameters((15, 15), (16, 16), (15, 16))
    def test_middle_row_of_an_odd_count_may_be_in_either_half(self, end, start):
        arrays = drawn(a=31)
        rows = np.float64(arrays["A"])
        one, two = rows[:end], rows[start:]
        arrays |= _distance("halves", one, two)
        arrays["kid_self_halves"] = _kernel(one, two)
        self.assertEmpty(proved(arrays).faults)

    @parameterized.parameters(
        "mu_A",
        "sigma_B",
        "fid_ab",
        "fid_deficient_eigh",
        "fid_deficient_vs_full_mean_term",
        "fid_halves",
        "kid_full",
        "kid_full_biased",
        "kid_subsets",
        "kid_std",
        "is_1_mean",
        "is_10_per_split",
        "is_10_permuted_std",
        "is_split_bounds_10",
        "rp_hits",
        "rp_cosine",
        "rp_mean_reference",
        "rp_inbatch_rank",
    )
    def test_changed_output_is_the_only_fault(self, name):
        arrays = recorded()
        arrays[name] = arrays[name] * 1.001
        self.assertEqual(proved(arrays).faults, [name])

    def test_changed_input_is_seen_in_what_depends_on_it(self):
        arrays = recorded()
        arrays["A"] = arrays["A"].copy()
        arrays["A"][3, 5] += 1.0
        faults = proved(arrays).faults
        for name in ("mu_A", "fid_ab", "fid_halves", "kid_full"):
            self.assertIn(name, faults)
        for name in ("mu_B", "fid_deficient", "is_1_mean", "rp_hits"):
            self.assertNotIn(name, faults)

    def test_rank_is_ours_or_one_more_and_nothing_else(self):
        arrays = recorded()
        for change in (-1, 2):
            changed = arrays["rp_inbatch_rank"].copy()
            changed[0] += change
            faults = proved({**arrays, "rp_inbatch_rank": changed}).faults
            self.assertEqual(faults, ["rp_inbatch_rank"])

    def test_missing_and_unknown_arrays_are_faults(self):
        arrays = recorded()
        del arrays["fid_ab"], arrays["is_10_std"]
        arrays["fid_ac"] = arrays["fid_halves"]
        self.assertCountEqual(
            proved(arrays).faults, ["fid_ab", "is_10_std", "fid_ac"]
        )

    @parameterized.parameters(
        ("B", lambda x: x[:, 1:], r"B has shape \(400, 63\), not"),
        ("A", None, "there is no array A"),
        ("kid_subset_a", lambda x: x + 100, "no numbers of 500 rows"),
        ("kid_subset_b", lambda x: x + 0.5, "no numbers of 400 rows"),
        ("is_permutation", lambda x: x // 2, "no order of the rows"),
        ("rp_sentence_code", lambda x: x[1:], r"not \(60, 24\)"),
        ("logits", lambda x: x.astype(str), "logits holds <U"),
    )
    def test_file_without_the_right_inputs_is_refused(self, name, spoil, told):
        arrays = recorded()
        array = arrays.pop(name)
        if spoil:
            arrays[name] = spoil(array)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "changed.npz"
            np.savez(path, **arrays)
            with self.assertRaisesRegex(ValueError, f"taken as fid.*{told}"):
                parity.prove(path, "fid")


if __name__ == "__main__":
    tf.test.main()
