#!/usr/bin/env bash
# What every network costs on a GPU, in at most 8 minutes: bash benchmarks/gpu.sh OUT.json (--help says more).
# PYTHON chooses the interpreter.
folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export PYTHONPATH="$folder/..${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" "$folder/gpu.py" "$@"
