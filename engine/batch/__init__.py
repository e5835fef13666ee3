"""Margin of many accounts at once, in floating point, by the integer data of one policy."""

from engine.batch.model import BatchModel, UnsupportedForm
from engine.batch.result import BatchResult
from engine.batch.run import Block, compute_batch, iterate_blocks, stream_batch

__all__ = ["BatchModel", "BatchResult", "Block", "UnsupportedForm", "compute_batch", "iterate_blocks", "stream_batch"]
