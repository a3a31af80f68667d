"""FID, KID, IS, precision and recall by torch-fidelity; knows nothing of ours.

    python tools/fidelity_side.py FEATURES.npz SETTINGS

FEATURES.npz holds `real` and `fake`, features of two sets, and `logits` of the
latter. SETTINGS is JSON: kid_subsets, kid_subset_size, rng_seed, splits and
neighborhood. The last line is JSON.
"""

import json
import sys

import numpy as np
import torch
import torch_fidelity
from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc


def main(path: str, settings: dict) -> None:
    """Measures and prints.

    Args:
        path: the features.
        settings: see above.
    """
    with np.load(path) as stored:
        real, fake, logits = (
            torch.from_numpy(stored[name])
            for name in ("real", "fake", "logits")
        )
    silent = {"verbose": False}
    both = fake, real  # Its first input is what was generated.
    learned = [metric_fid.fid_features_to_statistics(each) for each in both]
    found = metric_fid.fid_statistics_to_metric(*learned, **silent)
    found |= metric_kid.kid_features_to_metric(
        *both,
        kid_subsets=settings["kid_subsets"],
        kid_subset_size=settings["kid_subset_size"],
        rng_seed=settings["rng_seed"],
        **silent,
    )
    found |= metric_isc.isc_features_to_metric(
        logits, settings["splits"], rng_seed=settings["rng_seed"]
    )
    found |= metric_prc.prc_features_to_metric(
        *both, prc_neighborhood=settings["neighborhood"], **silent
    )
    versions = {
        "torch-fidelity": torch_fidelity.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    print(json.dumps({"figures": found, "versions": versions}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
