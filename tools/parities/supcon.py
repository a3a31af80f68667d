"""Supervised contrast as SupContrast's code computes it, and UniCL.

Recorded of the first are losses, in both precisions, and gradients: with
labels, without, with an explicit mask, first views as the only anchors, and a
single view. UniCL's training code was not released; its numbers come from the
published formulas.
"""

import re

import numpy as np

from keras_t2i.losses import contrastive
from keras_t2i.ops import vectors
from tools.parities import slopes

_LOSS = 1e-5
_GRADIENT = 4e-6
_SAME = 1e-9  # in float64
_EXACT = 1e-10
_CASE = re.compile(
    r"(?P<kind>[a-z_]+)_t(?P<temperature>[\d.]+)(_base(?P<base>[\d.]+))?\.loss"
)
_BASE = "0.07"  # what the code divides by where it isn't told


def prove(ledger):
    """Enters all outputs into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of a `supcon` file.

    Raises:
        ValueError: if an input or a kind of loss is missing or misshapen.
    """
    _prove_supervised(ledger)
    _prove_unicl(ledger)


def _prove_supervised(ledger):
    features = ledger.input("features", (None, None, None))
    labels = ledger.input("labels", features.shape[:1])
    mask = ledger.input("mask_asym", 2 * features.shape[:1])
    kinds = {
        "labels": (features, {"labels": labels}),
        "simclr": (features, {}),
        "labels_one": (features, {"labels": labels, "anchors": "one"}),
        "mask_asym": (features, {"positives": mask}),
        "single_view": (features[:, :1], {"labels": labels}),
    }
    cases = [told for name in ledger.names() if (told := _CASE.fullmatch(name))]
    missing = set(kinds).difference(case["kind"] for case in cases)
    if missing:
        raise ValueError(f"there is no loss of {', '.join(sorted(missing))}")
    for case in cases:
        if case["kind"] in kinds:
            views, choices = kinds[case["kind"]]
            temperature = float(case["temperature"])
            scale = temperature / float(case["base"] or _BASE)
            choices = {
                **choices,
                "temperature": temperature,
                "scale": scale,
                "normalise": False,
            }
            _prove_case(ledger, case[0].removesuffix("loss"), views, choices)


def _prove_case(ledger, prefix, views, choices):
    def loss(views):
        return contrastive.supervised(views, **choices)

    value, (slope,) = slopes.of(loss, views)
    ledger.compare(f"{prefix}loss", value, absolute=_LOSS)
    ledger.compare(f"{prefix}grad", slope, absolute=_GRADIENT)
    exact = loss(np.float64(views))
    ledger.compare(f"{prefix}loss_f64", exact, absolute=_SAME)


def _prove_unicl(ledger):
    images = ledger.input("unicl.image", (None, None))
    texts = ledger.input("unicl.text", images.shape)
    labels = ledger.input("unicl.labels", images.shape[:1])
    scales = [n for n in ledger.names("unicl.") if n.endswith(".scale")]
    if not scales:
        raise ValueError("no array's name is like unicl.*.scale")
    for name in scales:
        prefix = name.removesuffix("scale")
        temperature = 1.0 / ledger.setting(name)

        def loss(images, texts, temperature=temperature):
            return contrastive.unicl(images, texts, labels, temperature)

        directions = contrastive.both_directions(
            vectors.cosines(images, texts) / temperature,
            contrastive.same(labels),
        )
        mean, found = slopes.of(loss, images, texts)
        total = contrastive.unicl(
            images, texts, labels, temperature, is_summed=True
        )
        for word, ours in (
            ("i2t", directions[0]),
            ("t2i", directions[1]),
            ("loss_sum", total),
            ("loss_mean", mean),
            ("grad_image_of_mean", found[0]),
            ("grad_text_of_mean", found[1]),
        ):
            ledger.compare(prefix + word, ours, absolute=_EXACT)
