"""Reading, never executing, and writing files of tensors.

    file = open_tensors("model.safetensors")       # names, types and shapes; no number is read yet
    file.tensors["layers.0.A_log"].read()          # the numbers as stored, bit for bit
    for found in find_tensor_files("checkpoints"): # a path, or a path and why it cannot be read
        ...
    write_tensors("system.npz", {"A": A, "B": B})

One file a format; each is opened by its content, whatever its suffix. The libraries that the formats need are imported
when a file needs them.
"""

from __future__ import annotations

from hippo_theory.tensor_files.entries import TensorEntry, TensorFile, shown
from hippo_theory.tensor_files.folders import find_tensor_files
from hippo_theory.tensor_files.opening import open_tensors
from hippo_theory.tensor_files.writing import write_tensors

__all__ = ["TensorEntry", "TensorFile", "find_tensor_files", "open_tensors", "shown", "write_tensors"]
