"""The doctests of the adapter for PyTorch are collected where PyTorch is installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["hippo_theory/torch/*"]
