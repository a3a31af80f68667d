"""By which names a run's networks are known elsewhere."""

from keras_t2i import weights
from keras_t2i.weights.families import (
    FAMILIES,
    attngan,
    df_gan,
    df_gan_2020,
    dm_gan,
    ssa_gan,
)
from recipes import wiring

#: Family -> who builds networks of arrays' sizes, and who reads these off.
_ROOMS = {
    "attngan": (attngan, attngan),
    "df_gan": (df_gan, df_gan),
    "df_gan_2020": (df_gan_2020, df_gan_2020),
    "dm_gan": (dm_gan, attngan),
    "ssa_gan": (ssa_gan, ssa_gan),
}


def role(player: str) -> str:
    """Tells what a player is, whatever its pictures' size.

    Args:
        player: such as "discriminator_64".

    Returns:
        "generator" or "discriminator".
    """
    return player.partition("_")[0]


def family(config, player: str) -> str:
    """Finds the family whose names a player's network has in files.

    Args:
        config: the run's config.
        player: such as "discriminator_64".

    Returns:
        Key of `weights.families.FAMILIES`.

    Raises:
        ValueError: if none is known.
    """
    part = role(player)
    name = config.networks[part].name
    if f"{name}/{part}" in FAMILIES:
        return f"{name}/{part}"
    ending = f"/{part}"
    known = [x.removesuffix(ending) for x in FAMILIES if x.endswith(ending)]
    raise ValueError(
        f"config.networks.{part}.name is {name!r}, whose arrays have no names "
        f"elsewhere; known are those of {', '.join(sorted(known))}."
    )


def hint(config, player: str, model, arrays: dict) -> str:
    """Says how the config has to change for a file that doesn't fit.

    Args:
        config: the run's config.
        player: such as "discriminator_64".
        model: the config's network.
        arrays: name -> array, of the file.

    Returns:
        A sentence after a blank; nothing if no sizes make the file fit.
    """
    known = family(config, player)
    room, sizes = _ROOMS.get(known.partition("/")[0], (None, None))
    if room is None:
        return ""
    part = role(player)
    other = getattr(room, f"{part}_of")(arrays)
    if not weights.plan(known, other, arrays).fits:
        return ""
    sizes_of = getattr(sizes, f"{part}_sizes")
    ours, theirs = (
        sizes_of(weights.export(known, each), 0) for each in (model, other)
    )
    changed = {k: v for k, v in theirs.items() if v != ours[k]}
    if "text_dim" in changed:
        return (
            f" It reads sentences of {theirs['text_dim']} numbers, and the "
            f"reader of captions says them in {ours['text_dim']}."
        )
    if "image_size" in changed and part == "discriminator":
        return f" It looks at pictures of {theirs['image_size']} px."
    told = [f"--config.{_place(part, k)}={v}" for k, v in changed.items()]
    return f" It fits with {' '.join(told)}."


def _place(part, key):
    if key in ("image_size", "base_size"):
        return f"data.{key}"
    return f"networks.{part}.{key}"


def untuned(config):
    """Refuses systems whose readers learn: of them no files are known.

    Args:
        config: a run's config.

    Raises:
        ValueError: if its readers go on learning.
    """
    if wiring.is_tuned(config):
        raise ValueError(
            f"config.system.name is {config.system.name!r}, whose readers go "
            "on learning; files are those of SSAGAN, with frozen readers: "
            "convert with the config without `tuned`."
        )
