#!/usr/bin/env bash
# Trains, judges and serves a small text-to-image GAN on the pictures that come
# with the package; a second call goes on where the first one stopped.
#
#   ./tools/demo.sh            about eighteen minutes of training on 2 CPU cores
#   ./tools/demo.sh --quick    the same path in about two minutes
#
# RUN=folder chooses the run directory; else runs/demo, or runs/demo_quick.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in
  -h | --help)
    sed -n '2,/^set /{s/^# \{0,1\}//p;}' tools/demo.sh
    exit 0
    ;;
  "") run=${RUN:-runs/demo} changes=() judge=() ;;
  --quick)
    run=${RUN:-runs/demo_quick}
    changes=(--config.train.moves=60 --config.train.moves_per_epoch=20)
    judge=(--seeds=1 --pictures=120)
    ;;
  *)
    echo "tools/demo.sh: $1 is unknown; --quick and --help are known." >&2
    exit 2
    ;;
esac
./tools/venv.sh recipes
python=.venv/bin/python

"$python" -m recipes.train --workdir="$run" "${changes[@]}"
"$python" -m recipes.evaluate --workdir="$run" "${judge[@]}"
if [ "${1-}" = --quick ]; then
  "$python" - "$run" << 'EOF'
import json, pathlib, sys
from recipes.configs import openmoji
run = json.loads(pathlib.Path(sys.argv[1], "config.json").read_text())
made, full = run["train"]["moves"], openmoji.get_config().train.moves
print(f"\n{made:,} moves: too early to mean anything; the full demo trains "
      f"{full:,}.\n")
EOF
fi
"$python" -m recipes.export --workdir="$run"
"$python" -m recipes.sample --saved_model="$run/saved_model" \
  --out="$run/prompts.png" \
  --caption="a red heart" --caption="a blue car" \
  --caption="a green apple" --caption="a yellow smiling face" \
  --caption="a purple flower" --caption="a brown bear"

cat <<EOF

Everything lies in $run:
  prompts.png    six prompts, drawn from the SavedModel
  film.gif       the same captions and noise from the first move to the last
  samples/       the film's frames
  curves.png     the loss curves
  scores.md      the score table; scores.jsonl holds each score's protocol
  report.html    the scores with samples, their neighbours and retrievals
  metrics.jsonl  the terms, a line an epoch
  tensorboard/   scalars and pictures: .venv/bin/tensorboard --logdir $run
  checkpoints/   what a second call goes on from
  saved_model/   strings in, pictures out
  config.json    what was trained

Go on with commands of your own, such as
  source .venv/bin/activate
  python -m recipes.sample --workdir=$run --caption="a red car"
EOF
