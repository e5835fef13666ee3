"""Margin of many accounts at once, in floating point, by the integer data of one policy."""

from zkmargin.engine.policy.batch.convex_minima import net_groups
from zkmargin.engine.policy.batch.from_policy import read_batch_model
from zkmargin.engine.policy.batch.model import BatchModel, UnsupportedForm
from zkmargin.engine.policy.batch.result import BatchResult
from zkmargin.engine.policy.batch.run import KERNELS, Block, compute_batch, iterate_blocks, stream_batch

__all__ = [
    "KERNELS", "BatchModel", "BatchResult", "Block", "UnsupportedForm", "compute_batch", "iterate_blocks", "net_groups",
    "read_batch_model", "stream_batch",
]  # fmt: skip
