"""What is kept of real pictures, so that nobody need look at them again."""

import dataclasses
import io
import json
import os
from collections.abc import Mapping

import numpy as np

from keras_t2i.metrics import moments
from keras_t2i.metrics import rows as tables
from keras_t2i.ops import files


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Features of real pictures, or their moments alone.

    Attributes:
        moments: `moments.Moments`: count, mean and covariance.
        features: (N, C) float32, one row a picture; None where only moments
            are known, which allow FID and nothing else.
        card: how they were made, as a row's "protocol"; {} if nobody knows.
    """

    moments: moments.Moments
    features: np.ndarray | None = None
    card: Mapping = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, rows, card: Mapping | None = None) -> "Statistics":
        """Takes features.

        Args:
            rows: (N, C) float, N >= 2.
            card: how they were made.

        Returns:
            Their statistics.
        """
        rows = np.asarray(rows, np.float32)
        return cls(moments.Moments.of(rows), rows, card or {})

    @property
    def digest(self) -> str:
        """Names their mean and covariance."""
        return files.digest(self.moments.mean, self.moments.covariance)

    @property
    def count(self) -> int | None:
        """How many pictures; None if nobody knows."""
        return self.moments.count

    def save(self, path: str | os.PathLike) -> None:
        """Writes them as an .npz that pytorch-fid and clean-fid read too.

        Args:
            path: the file; replaced whole.

        Raises:
            OSError: if it can't be written.
        """
        arrays = {
            "mu": self.moments.mean,
            "sigma": self.moments.covariance,
            "card": np.frombuffer(json.dumps(self.card).encode(), np.uint8),
        }
        if self.count is not None:
            arrays["n"] = np.int64(self.count)
        if self.features is not None:
            arrays["feats"] = self.features
        content = io.BytesIO()
        np.savez(content, **arrays)
        files.atomic_write(path, content.getvalue())


def load(path: str | os.PathLike) -> Statistics:
    """Reads what `save`, pytorch-fid or clean-fid wrote.

    Args:
        path: an .npz file with mu and sigma, or with feats, the features.

    Returns:
        The statistics; without a card unless `save` wrote them.

    Raises:
        OSError: if the file can't be opened.
        ValueError: if it is damaged or holds something else.
    """
    known = moments.Moments.load(path)
    features = tables.stored(path).get("feats")
    if features is not None and features.shape != (known.count, known.width):
        raise ValueError(
            f"{path} tells {known.count} pictures and {known.width} features, "
            f"but its feats have shape {features.shape}."
        )
    return Statistics(known, features, _card(path))


def _card(path):
    with np.load(path, allow_pickle=False) as stored:
        if "card" not in stored.files:
            return {}
        try:
            card = json.loads(stored["card"].tobytes())
        except ValueError as error:
            raise ValueError(f"The card in {path} is no JSON.") from error
    if not isinstance(card, dict):
        raise ValueError(f"The card in {path} is no JSON object.")
    return card
