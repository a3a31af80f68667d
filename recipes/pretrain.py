r"""Pre-trains a pair of readers, of captions and of pictures, that agree.

    python -m recipes.pretrain --workdir=runs/damsm \
        --config=recipes/configs/damsm_openmoji.py:small

Attention systems stand on such a pair. A second call with the same --workdir
goes on where the first one stopped. The run directory then holds config.json,
the terms (metrics.jsonl, curves.png, tensorboard/), checkpoints/, the pair
itself (reader/) with its card and scores on test pictures, and attention.png:
where each word of a caption looks. `keras_t2i.weights.readers.load` opens
reader/. Any value of the config (all stand in recipes/configs/common.py) is
changed with --config.SECTION.KEY=VALUE.
"""

from absl import flags

from recipes import attending, cluster, messages, pretraining

_CONFIG = messages.config(
    "recipes/configs/damsm_openmoji.py",
    "The config file and, after a colon, its scale: small or paper, a variant "
    "(cl, scl, unicl, ce), or smoke.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "The run directory; made if missing.", required=True
)
_ACCEPT = flags.DEFINE_bool(
    "accept_changes",
    False,
    "Go on with a run although its config or data changed; what changed is "
    "kept in changes.jsonl.",
)
_STRATEGY = flags.DEFINE_enum(
    "strategy", "none", cluster.NAMES, "As for recipes.train."
)
_REPLICAS = flags.DEFINE_integer(
    "replicas", None, "As for recipes.train.", lower_bound=1
)


def main(_):
    """Trains from the flags, keeps the pair and shows its attention."""
    config, workdir = _CONFIG.value, _WORKDIR.value
    system = pretraining.train(
        config,
        workdir,
        accept_changes=_ACCEPT.value,
        strategy=_STRATEGY.value,
        replicas=_REPLICAS.value,
    )
    if not cluster.is_chief(system.distribute_strategy):
        return
    pair = pretraining.finish(config, workdir, system)
    for name, value in pair.card["scores"].items():
        print(f"  {name}: {value:.4f}")
    sheet = attending.write(pair, config, workdir)
    print(f"The pair lies in {workdir}/{pretraining.READER}; {sheet} shows it.")


if __name__ == "__main__":
    messages.run(main)
