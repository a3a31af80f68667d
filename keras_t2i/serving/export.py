"""Writes a painter as a SavedModel that needs nothing of this library."""

import errno
import json
import os
import pathlib
import shutil
import uuid

import numpy as np
import tensorflow as tf

from keras_t2i.ops import files, images
from keras_t2i.version import VERSION

#: The folder inside the SavedModel with a second one, free of text operations.
WORDLESS = "from_embeddings"
#: Where the card lies inside the SavedModel; loaders leave this folder alone.
CARD = pathlib.Path("assets.extra", "card.json")


def export(
    painter, path: str | os.PathLike, card: dict | None = None
) -> pathlib.Path:
    """Writes a painter as a SavedModel folder, its tokenizer inside.

    Signatures:

    - `serving_default`: "prompt" (B,) string and "seed" (B,) int64 -> "image"
      (B, H, W, 3) uint8 and "image_bytes" (B,) string, each a PNG;
    - `encode`: "prompt" (B,) string -> what the generator takes from the
      text, such as "sentence" (B, C) float32;
    - `from_embeddings`: that and "noise" (B, Z) float32 -> "image".

    A generator that reads no text has no `encode`, and `serving_default` takes
    "seed" alone.

    Programs that load the folder import `tensorflow` and, where the encoder
    uses its operations, `tensorflow_text`. One unknown operation makes a whole
    SavedModel unreadable, and `saved_model_cli run` can't import
    `tensorflow_text`: so the folder `from_embeddings` inside is a SavedModel of
    its own, with the signature of that name alone.

    A prompt that is empty, not UTF-8 or longer than the encoder reads ends in
    an `InvalidArgumentError` with one sentence. The folder is written beside
    and renamed.

    Args:
        painter: `networks.Painter` or its like, with a text encoder if the
            generator reads text.
        path: the folder. A SavedModel that lies there is replaced.
        card: what to remember about the model, fit for JSON; kept in
            `assets.extra/card.json` with the sizes and the library's version.

    Returns:
        The folder's absolute path.

    Raises:
        ValueError: without a text encoder, or if the folder holds something
            else than a SavedModel.
        OSError: if it can't be written; what was there is unchanged.
    """
    if painter.text_names and painter.text_encoder is None:
        raise ValueError(
            "A painter is exported with the text_encoder that reads for it; "
            "this one has none."
        )
    path = pathlib.Path(os.path.abspath(path))
    _check_place(path)
    text = json.dumps({**_sizes(painter), **(card or {})}, indent=1)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        beside.mkdir(parents=True)
        wordless = _Wordless(painter)
        kind = _Words if painter.text_names else _Seeds
        _save(kind(painter), beside)
        _save(wordless, beside / WORDLESS)
        (beside / CARD).parent.mkdir(exist_ok=True)
        (beside / CARD).write_text(text, encoding="utf-8")
        _swap(beside, path)
    except (OSError, tf.errors.OpError) as error:
        raise _sentence(path, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return path


class _Wordless(tf.Module):
    """Draws from vectors; holds the generator's variables."""

    def __init__(self, painter):
        super().__init__()
        self._painter = painter
        # Session loaders find a Keras variable only by its TensorFlow one.
        self._held = [v.value for v in painter.generator.weights]

    def signatures(self):
        """Returns dict, name -> concrete function."""
        specs = {
            name: tf.TensorSpec((None, *x.shape[1:]), x.dtype, name)
            for name, x in self._painter.generator.input.items()
        }
        draw = tf.function(self._draw, autograph=False)
        return {"from_embeddings": draw.get_concrete_function(**specs)}

    def _draw(self, noise, **text):
        rows = tf.shape(noise)[0]
        checks = [
            (tf.equal(tf.shape(x)[0], rows), f"Each {name} needs one noise.")
            for name, x in text.items()
        ]
        with tf.control_dependencies(_asserts(checks)):
            picture = self._painter.draw(text, tf.identity(noise))
        return {"image": images.to_uint8(picture)}


class _Seeds(_Wordless):
    """Draws from seeds alone."""

    def signatures(self):
        seed = tf.TensorSpec([None], tf.int64, "seed")
        paint = tf.function(self._paint, autograph=False)
        return {
            "serving_default": paint.get_concrete_function(seed),
            **super().signatures(),
        }

    def _paint(self, seed):
        nothing = tf.fill(tf.shape(seed), "")
        image = images.to_uint8(self._painter.generate(nothing, seed))
        return {"image": image, "image_bytes": tf.io.encode_png(image)}


class _Words(_Wordless):
    """Draws from prompts too; holds the encoder's tables and variables."""

    def __init__(self, painter):
        super().__init__(painter)
        self._reader = painter.text_encoder

    def signatures(self):
        prompt = tf.TensorSpec([None], tf.string, "prompt")
        seed = tf.TensorSpec([None], tf.int64, "seed")
        paint = tf.function(self._paint, autograph=False)
        encode = tf.function(self._encode, autograph=False)
        return {
            "serving_default": paint.get_concrete_function(prompt, seed),
            "encode": encode.get_concrete_function(prompt),
            **super().signatures(),
        }

    def _paint(self, prompt, seed):
        counted = tf.equal(tf.size(prompt), tf.size(seed))
        checks = [(counted, "Each prompt needs one seed."), *_legible(prompt)]
        with tf.control_dependencies(_asserts(checks)):
            prompt = tf.identity(prompt)
        image = images.to_uint8(self._painter.generate(prompt, seed))
        return {"image": image, "image_bytes": tf.io.encode_png(image)}

    def _encode(self, prompt):
        with tf.control_dependencies(_asserts(_legible(prompt))):
            prompt = tf.identity(prompt)
        return self._painter.encode(prompt)


def _legible(prompt):
    known = tf.strings.unicode_transcode(
        prompt, "UTF-8", "UTF-8", errors="ignore"
    )
    blank = tf.strings.regex_full_match(prompt, r"[\s\p{Z}\p{Cc}]*")
    return [
        (tf.size(prompt) > 0, "There is no prompt; give at least one."),
        (tf.equal(known, prompt), "A prompt is not valid UTF-8 text."),
        (~blank, "A prompt is empty; it needs at least one word."),
    ]


def _asserts(checks):
    return [tf.debugging.Assert(tf.reduce_all(c), [t]) for c, t in checks]


def _sizes(painter):
    shapes = {k: list(x.shape[1:]) for k, x in painter.generator.input.items()}
    arrays = [np.asarray(weight) for weight in painter.generator.weights]
    return {
        "library": f"keras_t2i {VERSION}",
        "inputs": shapes,
        "image": list(painter.generator.output["image"].shape[1:]),
        "text_encoder": getattr(painter.text_encoder, "digest", None),
        "generator_digest": files.digest(*arrays),
        "parameters": sum(array.size for array in arrays),
    }


def _save(module, path):
    tf.saved_model.save(module, str(path), signatures=module.signatures())


def _check_place(path):
    if not path.exists():
        return
    if not path.is_dir():
        raise _sentence(
            path, FileExistsError(errno.EEXIST, "a file stands there")
        )
    if any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise ValueError(
            f"{path} holds something else than a SavedModel, which an export "
            "would replace; name a new folder."
        )


def _swap(beside, path):
    """Puts a folder in place of another, or leaves the other."""
    old = beside.with_suffix(".old")
    if not path.exists():
        beside.rename(path)
        return
    path.rename(old)
    try:
        beside.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sentence(path, error):
    reason = getattr(error, "strerror", None) or files.reason(error)
    return OSError(
        getattr(error, "errno", None) or errno.EIO,
        f"Cannot write, what was there is unchanged: {reason}",
        str(path),
    )
