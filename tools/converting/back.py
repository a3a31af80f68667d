"""Writes a run's networks by their authors' names."""

import io
import os
import pathlib

import numpy as np

from keras_t2i import weights
from keras_t2i.ops import files
from recipes import trained, wiring
from tools.converting import naming


def export(
    workdir: str | os.PathLike,
    out: str | os.PathLike,
    checkpoint: str | os.PathLike | None = None,
) -> dict[str, int]:
    """Writes all networks of a run by their authors' names.

    Args:
        workdir: the run directory.
        out: the folder; made if missing.
        checkpoint: the folder of one checkpoint; the newest when None.

    Returns:
        dict, file -> how many arrays, or words, it has.

    Raises:
        OSError: if a file can't be written.
        ValueError: if the run can't be read, or a network has no names
            elsewhere; nothing is written then.
    """
    config = trained.read_config(workdir)
    naming.untuned(config)
    for role in ("generator", "discriminator"):
        naming.family(config, role)
    reader = wiring.text_encoder(config)
    system = wiring.system(trained.exact(config), reader, readers=wiring.NOBODY)
    trained.bring(system, workdir, checkpoint)
    found = {
        name: weights.export(naming.family(config, name), player)
        for name, player in system.players.items()
    }
    if system.average is not None:
        found["generator_learning"] = found["generator"]
        family = naming.family(config, "generator")
        found["generator"] = weights.export(family, system.average)
    found |= _readers(config)
    words = getattr(reader, "vocabulary", None)
    out, told = pathlib.Path(out), {}
    for name, arrays in found.items():
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        files.atomic_write(out / f"{name}.npz", stream.getvalue())
        told[f"{name}.npz"] = len(arrays)
    if words is not None:
        words.save(out / "vocabulary.txt")
        told["vocabulary.txt"] = len(words)
    return told


def _readers(config):
    """The arrays of those readers that are AttnGAN's."""
    if config.text.encoder != "damsm":
        return {}
    pair = weights.readers.load(config.text.source)
    found = {}
    if getattr(pair.text, "vocabulary", None) is not None:
        found["text"] = weights.export("damsm/text", pair.text.model)
    if pair.card["recipe"]["image"]["encoder"] == "inception":
        found["image"] = weights.export("damsm/image", pair.image.model)
    return found
