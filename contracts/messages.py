"""The typed messages Epoch and Settlement as a quorum signs them, and the named points it covers.

Records and EIP-712 digests of every message are the prover's (`prover.messages.records`,
`prover.messages.typed_data`). What only the chain's side needs is added here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from zkmargin.contracts.errors import CallInvalid, MessageInvalid
from zkmargin.engine.epoch.record import Epoch as RiskEpoch
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.records import Epoch, Settlement, TypedMessage
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import Signer, request_signature
from zkmargin.prover.ranges import check_range

IDENTITY = (0, 0)
"""The point of the all-zero policy and of the settlement that moves nothing."""


@dataclass(frozen=True, slots=True, order=True)
class NamedPoint:
    """The point of a named policy, as a call to the clearing house carries it."""

    name: bytes
    """ASCII name, zero-padded to 32 bytes."""
    x: int
    y: int

    @property
    def hash(self) -> bytes:
        """keccak256(abi.encode(name, x, y)), 32 bytes: which content the name has."""
        return keccak(abi_encode(["bytes32", "uint256", "uint256"], [self.name, self.x, self.y]))


@dataclass(frozen=True)
class EpochPoint:
    """An epoch's number and the point that it signed for one policy: what an action at that epoch carries."""

    number: int
    x: int
    y: int
    path: tuple[bytes, ...]
    """Merkle path to the root that the epoch signed: the hash beside each node, 32 bytes each, from below."""


@dataclass(frozen=True)
class EpochPoints:
    """An epoch's number and every point it signed."""

    number: int
    points: tuple[NamedPoint, ...]
    """By strictly increasing name."""

    def select(self, policy: bytes | str) -> EpochPoint:
        """The point of a policy, by its name or the name's 32 bytes.

        Raises
        ------
        CallInvalid
            If the epoch has no policy of that name.
        """
        name = encode_policy_name(policy) if isinstance(policy, str) else policy
        names = [point.name for point in self.points]
        if name not in names:
            raise CallInvalid("policy", name.rstrip(b"\0"), f"one of {[known.rstrip(bytes(1)) for known in names]}")
        place = names.index(name)
        point = self.points[place]
        return EpochPoint(self.number, point.x, point.y, _find_path(_build_tree(self.points), place))


@dataclass(frozen=True)
class SignedEpoch:
    """Everything `RiskOracle.postEpoch` takes."""

    message: Epoch
    points: tuple[NamedPoint, ...]
    """By strictly increasing name."""
    snapshot: bytes
    """Canonical bytes of the market snapshot."""
    settlement: bytes
    """Canonical bytes of the settlement where the epoch raises the generation, else empty."""
    signatures: tuple[bytes, ...]
    """By strictly increasing `signer_id`: 65 bytes of an ECDSA key, or `encode_named_signature`."""

    @property
    def epoch_points(self) -> EpochPoints:
        """Of which an action at this epoch carries one."""
        return EpochPoints(self.message.number, self.points)


@dataclass(frozen=True)
class SignedSettlement:
    """Everything `RiskOracle.postSettlement` takes."""

    message: Settlement
    vector: bytes
    """Canonical bytes of the settlement vector, the steps' composed."""
    signatures: tuple[bytes, ...]
    """As an epoch's."""


def sort_points(points: Mapping[str, tuple[int, int]]) -> tuple[NamedPoint, ...]:
    """Points by policy name, as records in the order that the contract asks for; raises `OutOfRange` for no words."""
    records = [
        NamedPoint(encode_policy_name(name), *(check_range(f"point of {name}", word, 0, 1 << 256) for word in point))
        for name, point in points.items()
    ]
    return tuple(sorted(records))


def compute_points_root(points: Iterable[NamedPoint]) -> bytes:
    """Merkle root over at least one point, in their order, 32 bytes; see libraries/Points.sol."""
    return _build_tree(points)[-1]


def _build_tree(points: Iterable[NamedPoint]) -> list[bytes]:
    """Leaves, then the parent of each two nodes that have none yet, from the first; the root is the last."""
    nodes = [point.hash for point in points]
    count = len(nodes)
    for child in range(0, 2 * count - 2, 2):
        nodes.append(keccak(b"".join(sorted(nodes[child : child + 2]))))
    return nodes


def _find_path(nodes: Sequence[bytes], place: int) -> tuple[bytes, ...]:
    """The node beside each one on the way from a leaf to the root."""
    count, path = (len(nodes) + 1) // 2, []
    while place != len(nodes) - 1:
        path.append(nodes[place ^ 1])
        place = count + place // 2
    return tuple(path)


def make_epoch_message(
    epoch: RiskEpoch,
    *,
    key_hash: bytes,
    points: Mapping[str, tuple[int, int]],
    is_step: bool,
    settlement_point: tuple[int, int] = IDENTITY,
    min_epoch: int = 0,
) -> Epoch:
    """The message that the publishers sign for `epoch`. It always has the hash of the epoch's settlement.

    Parameters
    ----------
    key_hash : bytes
        Hash of the `transition` verification key that the points were computed with, 32 bytes.
    points : mapping of str to (int, int)
        Policy point of every policy of the epoch, by name.
    is_step : bool
        Whether the epoch raises the generation. Only then the message has the settlement's point.
    settlement_point : (int, int)
        Point of the epoch's settlement under the key; not read unless `is_step`.
    min_epoch : int
        The number of the last urgent epoch known of, carried on. An urgent epoch has its own number instead.

    Raises
    ------
    MessageInvalid
        If the points are not those of the epoch's policies, a step has no settlement point, or `min_epoch` exceeds the
        epoch's number.
    """
    if set(points) != set(epoch.policies):
        raise MessageInvalid("Epoch", "points", sorted(points), f"one for each of {sorted(epoch.policies)}")
    if is_step and settlement_point == IDENTITY:
        raise MessageInvalid(
            "Epoch", "settlement_point", settlement_point, "the point of a settlement that drops slots"
        )
    if min_epoch > epoch.number:
        raise MessageInvalid("Epoch", "min_epoch", min_epoch, f"0 to {epoch.number}, the epoch's number")
    x, y = settlement_point if is_step else IDENTITY
    return Epoch(
        number=epoch.number,
        time=epoch.time,
        generation=epoch.generation,
        min_epoch=epoch.number if epoch.urgent else min_epoch,
        snapshot_hash=epoch.snapshot_hash,
        policy_hash=epoch.policy_hash,
        settlement_hash=epoch.settlement_hash,
        key_hash=key_hash,
        points_root=compute_points_root(sort_points(points)),
        settlement_x=x,
        settlement_y=y,
    )


def sign_unchecked(message: TypedMessage, wallets: Sequence[Signer], domain: Domain) -> tuple[bytes, ...]:
    """Signatures of every wallet over the message, by increasing `signer_id`, as the oracle takes them.

    A publisher signs by `contracts.publisher.Publisher.sign`, which looks at what is signed first.
    """
    ordered = sorted(wallets, key=lambda wallet: signer_id(wallet.address))
    return tuple(request_signature(wallet, domain, message) for wallet in ordered)


def signer_id(signer: str) -> bytes:
    """What publishers are ordered by: keccak256 of a signer's bytes, 0x-hex (an address, or a verifier's and a key)."""
    return keccak(hexstr=signer)


def encode_named_signature(signer: str, signature: bytes) -> bytes:
    """The signature of a publisher that is no ECDSA key, as the oracle takes it: with the signer's bytes (ERC-7913)."""
    return abi_encode(["bytes", "bytes"], [bytes.fromhex(signer.removeprefix("0x")), signature])
