"""Errors of the auditor, one tree. A disagreement that it finds is no error: it stands in the report.

AuditError                 below `engine.errors.ZkMarginError`
├── PointInvalid           coordinates that are no point of their group; the audit reports them          (reason)
├── CheckpointRefused      a checkpoint of another deployment, or of a chain that was replaced since  (path, reason)
└── KeyFilesMissing        no verification keys where the caller says they are                        (folder, reason)
"""

from __future__ import annotations

from pathlib import Path

from zkmargin.engine.errors import ZkMarginError


class AuditError(ZkMarginError):
    """Root of everything that keeps an audit from being made."""


class PointInvalid(AuditError):
    """Coordinates that are no point of the group; an audit reports them as a disagreement."""

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(reason)


class CheckpointRefused(AuditError):
    """A checkpoint that an audit cannot go on from."""

    def __init__(self, path: Path, reason: str):
        self.path, self.reason = path, reason
        super().__init__(f"checkpoint {path}: {reason}; remove the file to audit from the deployment on")


class KeyFilesMissing(AuditError):
    """The verification keys, without which no point and no proof can be computed again, are not there."""

    def __init__(self, folder: Path, reason: str):
        self.folder, self.reason = folder, reason
        super().__init__(f"verification keys in {folder}: {reason}; allowed: transition.vkey.json and open.vkey.json")
