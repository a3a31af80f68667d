"""What tests of layers that read words share: captions, and slow loops."""

import numpy as np


def drawn(*shape, seed=0):
    """Draws normal numbers.

    Args:
        *shape: int.
        seed: int.

    Returns:
        float32 array.
    """
    normal = np.random.default_rng(seed).normal(size=shape)
    return normal.astype("float32")


ROWS, HEIGHT, WIDTH, CHANNELS, WORDS, NUMBERS = 3, 2, 3, 4, 5, 6
LENGTHS = (5, 2, 3)
#: Of the same captions, to be changed where a test needs it.
MASK = np.arange(WORDS) < np.array(LENGTHS)[:, None]
MAPS = drawn(ROWS, HEIGHT, WIDTH, CHANNELS)
VECTORS = drawn(ROWS, WORDS, NUMBERS, seed=1)


def weights(maps, keys, mask, legacy_mask=False):
    """Tells how much each pixel looks at each word, pixel by pixel.

    Args:
        maps: (B, H, W, C) array.
        keys: (B, T, C) array.
        mask: (B, T) bool array, some word in each row.
        legacy_mask: bool. Whether rows of the mask are dealt out by turns.

    Returns:
        (B, H, W, T) float64 array.
    """
    rows, height, width, _ = maps.shape
    found = np.zeros((rows, height, width, keys.shape[1]))
    for b, y, x in np.ndindex(rows, height, width):
        turn = (b * height * width + y * width + x) % rows
        seen = mask[turn if legacy_mask else b]
        logits = np.float64(keys[b]) @ np.float64(maps[b, y, x])
        raised = np.exp(logits - logits[seen].max()) * seen
        found[b, y, x] = raised / raised.sum()
    return found


def mixed(shares, values):
    """Mixes words by their shares, pixel by pixel.

    Args:
        shares: (B, H, W, T) array.
        values: (B, T, C) array.

    Returns:
        (B, H, W, C) float64 array.
    """
    found = np.zeros((*shares.shape[:3], values.shape[-1]))
    for b, y, x in np.ndindex(shares.shape[:3]):
        found[b, y, x] = shares[b, y, x] @ np.float64(values[b])
    return found


def shaken(layer, seed=2):
    """Draws all weights of a layer.

    Args:
        layer: built `keras.layers.Layer`.
        seed: int.

    Returns:
        The layer.
    """
    layer.set_weights(
        [drawn(*w.shape, seed=seed + i) for i, w in enumerate(layer.weights)]
    )
    return layer


def examine_masks(test, make):
    """Puts a layer that reads words through the laws of masks.

    Args:
        test: `tf.test.TestCase`.
        make: callable, legacy_mask -> a new layer with drawn weights, the
            same at each call.
    """
    plain, legacy = make(False), make(True)
    before = plain(MAPS, VECTORS, MASK)

    # What stands where no word is changes nothing.
    other = np.where(MASK[..., None], VECTORS, np.float32(100.0))
    _same(test, before, plain(MAPS, other, MASK))
    longer = np.pad(VECTORS, ((0, 0), (0, 2), (0, 0)))
    after = plain(MAPS, longer, np.pad(MASK, ((0, 0), (0, 2))))
    test.assertAllClose(before[0], after[0], atol=1e-6)
    test.assertAllClose(before[1], after[1][..., :WORDS], atol=1e-6)
    test.assertAllEqual(after[1][..., WORDS:], 0.0 * after[1][..., WORDS:])

    # Rows don't know each other, unless masks are dealt out by turns.
    lone = plain(MAPS[1:2], VECTORS[1:2], MASK[1:2])
    _same(test, lone, [x[1:2] for x in before])
    test.assertNotAllClose(legacy(MAPS, VECTORS, MASK)[0], before[0])
    _same(test, lone, legacy(MAPS[1:2], VECTORS[1:2], MASK[1:2]))
    alike = np.tile(MASK[:1], (ROWS, 1)) & (np.arange(WORDS) < 4)
    _same(test, *(layer(MAPS, VECTORS, alike) for layer in (plain, legacy)))

    # A caption without words gives nothing, and no "not a number".
    empty = MASK & np.array([[True], [False], [True]])
    context, shares = plain(MAPS, VECTORS, empty)
    test.assertAllEqual(shares[1], np.zeros_like(shares[1]))
    test.assertAllClose(context[::2], before[0][::2], atol=1e-6)
    for layer in (plain, legacy):
        context, shares = layer(MAPS, VECTORS, MASK & False)
        test.assertAllEqual(shares, np.zeros_like(shares))
        test.assertAllInRange(context, -100.0, 100.0)

    # Looks add up to one.
    for layer in (plain, legacy):
        total = np.sum(layer(MAPS, VECTORS, MASK)[1], -1)
        test.assertAllClose(total, np.ones_like(total), atol=1e-6)


def _same(test, one, other):
    for first, second in zip(one, other, strict=True):
        test.assertAllClose(first, second, atol=1e-5)
