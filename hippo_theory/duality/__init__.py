"""Structured state-space duality: time-varying systems as semiseparable matrices and as masked attention."""

from hippo_theory.duality.evaluation import Cost, apply_chunked, apply_heads, chunked_cost, head_cost
from hippo_theory.duality.mamba2 import Mamba2Head, Mamba2Layer, mamba2_heads, mamba2_output, read_mamba2_layer
from hippo_theory.duality.masked_attention import (
    Block,
    Certificate,
    Dual,
    MaskedAttention,
    attention_matrix,
    least_dual,
    scalar_system,
)
from hippo_theory.duality.semiseparable import diagonal_blocks, new_columns, one_semiseparable, semiseparable_rank
from hippo_theory.duality.softmax import SoftmaxRanks, softmax_ranks
from hippo_theory.duality.time_varying import (
    TimeVaryingSystem,
    apply_system,
    exact_system,
    head_sum,
    realized_matrix,
)

__all__ = [
    "Block",
    "Certificate",
    "Cost",
    "Dual",
    "Mamba2Head",
    "Mamba2Layer",
    "MaskedAttention",
    "SoftmaxRanks",
    "TimeVaryingSystem",
    "apply_chunked",
    "apply_heads",
    "apply_system",
    "attention_matrix",
    "chunked_cost",
    "diagonal_blocks",
    "exact_system",
    "head_cost",
    "head_sum",
    "least_dual",
    "mamba2_heads",
    "mamba2_output",
    "new_columns",
    "one_semiseparable",
    "read_mamba2_layer",
    "realized_matrix",
    "scalar_system",
    "semiseparable_rank",
    "softmax_ranks",
]
