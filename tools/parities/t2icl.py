"""NT-Xent as the contrastive trainers of T2I_CL compute it.

Recorded for several batches and temperatures: the loss, in both precisions,
its gradients, and both again with vectors scaled to length 1 beforehand, as
the trainers do.
"""

import numpy as np

from keras_t2i.losses import contrastive
from keras_t2i.ops import vectors
from tools.parities import slopes

_CLOSE = 1e-6
_SAME = 1e-9  # in float64


def prove(ledger):
    """Enters all outputs into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of a `t2icl` file.

    Raises:
        ValueError: if an input is missing or misshapen.
    """
    temperatures = ledger.input("temperatures", (None,))
    for rows in ledger.input("batch_sizes", (None,)):
        one = ledger.input(f"b{rows}.z_i", (rows, None))
        other = ledger.input(f"b{rows}.z_j", one.shape)
        ledger.compare(f"b{rows}.mask", _negatives(rows), absolute=0.0)
        for temperature in temperatures:
            prefix = f"b{rows}.t{temperature:.6g}."
            _prove_loss(ledger, prefix, one, other, float(temperature))
    if "trainer_weight" in ledger.names():
        ledger.setting("trainer_weight")


def _prove_loss(ledger, prefix, one, other, temperature):
    def loss(one, other):
        return contrastive.nt_xent(one, other, temperature)

    def of_units(one, other):
        return loss(vectors.unit(one), vectors.unit(other))

    for ending, function in (("", loss), ("_l2norm", of_units)):
        value, found = slopes.of(function, one, other)
        ledger.compare(f"{prefix}loss{ending}", value, absolute=_CLOSE)
        for name, slope in zip(("z_i", "z_j"), found, strict=True):
            recorded = f"{prefix}grad_{name}{ending}"
            ledger.compare(recorded, slope, absolute=_CLOSE)
    exact = loss(np.float64(one), np.float64(other))
    ledger.compare(f"{prefix}loss_f64", exact, absolute=_SAME)


def _negatives(rows):
    """Marks, of both views on top of each other, what are no partners."""
    either = np.arange(2 * rows) % rows
    return either[:, None] != either[None, :]
