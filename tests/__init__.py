"""Tests: a package, so that `python -m tests.…` does not mean the one of this name that torch-fidelity installs."""
