"""Types of the fields of typed messages: how each is read from Python or JSON, and written as JSON.

In JSON, integers of types wider than 53 bits are decimal strings and bytes are 0x-hex. A decimal string is an integer
in JSON only: from Python an amount is a whole number, never text that would convert to one.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from zkmargin.engine.errors import OutOfRange as EngineOutOfRange
from zkmargin.engine.units import require_whole
from zkmargin.prover.errors import OutOfRange

MAX_BYTES = 4096
"""Longest signature or proof that a message carries."""
PROOF_BYTES = 256
"""A, B and C as eight big-endian words, in the order of the pairing precompile."""
JSON_SAFE_BITS = 53
"""Integers of wider types are strings in JSON, as many readers hold numbers as doubles."""
DECIMAL = re.compile(r"-?[0-9]{1,80}", re.ASCII)
HEX = re.compile(r"(0x)?([0-9a-fA-F]*)", re.ASCII)

is_json: ContextVar[bool] = ContextVar("is_json", default=False)
"""Whether the values being read come from JSON."""


@dataclass(frozen=True, slots=True)
class Bits:
    """An integer of a Solidity type: `uint<bits>`, or `int<bits>` if it is signed."""

    bits: int
    is_signed: bool = False

    def read(self, value: object) -> int:
        """The integer; raises `ValueError` with the range for anything else."""
        low, high = self.limits
        if is_json.get() and isinstance(value, str) and DECIMAL.fullmatch(value):
            value = int(value)
        try:
            return require_whole("number", value, low, high - 1)
        except EngineOutOfRange:
            shown = value if isinstance(value, int) and not isinstance(value, bool) else f"a {type(value).__name__}"
            raise ValueError(f"a whole number in [{low}, {high}) is needed, not {shown}") from None

    def write(self, value: int) -> int | str:
        """The integer as JSON has it."""
        return str(value) if self.bits > JSON_SAFE_BITS else value

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest integer, and the first above the largest."""
        return (-(1 << self.bits - 1), 1 << self.bits - 1) if self.is_signed else (0, 1 << self.bits)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        low, high = self.limits
        bounds: JsonSchemaValue = {"minimum": low, "maximum": high - 1}
        if self.bits <= JSON_SAFE_BITS:
            return {"type": "integer", **bounds}
        return {"type": ["string", "integer"], "pattern": f"^{DECIMAL.pattern}$", **bounds}

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        writer = core_schema.plain_serializer_function_ser_schema(self.write, when_used="json")
        return core_schema.no_info_plain_validator_function(self.read, serialization=writer)


def to_bytes(value: Any) -> bytes:
    """At most `MAX_BYTES` bytes, in JSON as 0x-hex; raises `ValueError` for anything else."""
    if isinstance(value, str) and value.startswith("0x"):
        value = _from_hex(value)
    if not isinstance(value, bytes | bytearray) or len(value) > MAX_BYTES:
        raise ValueError(f"at most {MAX_BYTES} bytes are needed, in JSON as 0x-hex")
    return bytes(value)


def to_bytes32(value: Any) -> bytes:
    """32 bytes, or the same in hex; raises `ValueError` for anything else."""
    if isinstance(value, str):
        value = _from_hex(value)
    if not isinstance(value, bytes | bytearray) or len(value) != 32:
        got = f"{len(value)} bytes" if isinstance(value, bytes | bytearray) else type(value).__name__
        raise ValueError(f"32 bytes are needed, got {got}")
    return bytes(value)


def to_proof(value: Any) -> bytes:
    """The `PROOF_BYTES` bytes of a proof; raises `ValueError` for anything else."""
    proof = to_bytes(value)
    if len(proof) != PROOF_BYTES:
        raise ValueError(f"{len(proof)} bytes; allowed: {PROOF_BYTES}")
    return proof


def to_address(value: Any) -> str:
    """An address with its checksum; raises `ValueError` for what is none, or has a wrong checksum."""
    is_hex = isinstance(value, str) and value.startswith("0x") and is_hex_address(value)
    if not is_hex or not (value[2:] in (value[2:].lower(), value[2:].upper()) or is_checksum_address(value)):
        raise ValueError("an address of 20 bytes in 0x-hex is needed, with a right checksum if it has mixed case")
    return str(to_checksum_address(value))


def _from_hex(text: str) -> bytes:
    match = HEX.fullmatch(text)
    if match is None or len(match[2]) % 2:
        raise ValueError("bytes in hex are needed")
    return bytes.fromhex(match[2])


def _to_hex(value: bytes) -> str:
    return "0x" + value.hex()


def _matching(pattern: str) -> WithJsonSchema:
    """What a JSON schema says of a text."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Uint8 = Annotated[int, Bits(8)]
Uint16 = Annotated[int, Bits(16)]
Uint24 = Annotated[int, Bits(24)]
Uint32 = Annotated[int, Bits(32)]
Uint40 = Annotated[int, Bits(40)]
Uint64 = Annotated[int, Bits(64)]
Uint256 = Annotated[int, Bits(256)]
Int8 = Annotated[int, Bits(8, is_signed=True)]
Int64 = Annotated[int, Bits(64, is_signed=True)]
Int128 = Annotated[int, Bits(128, is_signed=True)]
_Hex = PlainSerializer(_to_hex, when_used="json")
Bytes32 = Annotated[bytes, BeforeValidator(to_bytes32), _Hex, _matching("(0x)?[0-9a-fA-F]{64}")]
HexBytes = Annotated[bytes, BeforeValidator(to_bytes), _Hex, _matching(f"0x([0-9a-fA-F]{{2}}){{0,{MAX_BYTES}}}")]
ProofBytes = Annotated[bytes, BeforeValidator(to_proof), _Hex, _matching(f"0x[0-9a-fA-F]{{{2 * PROOF_BYTES}}}")]
Address = Annotated[str, BeforeValidator(to_address), _matching("0x[0-9a-fA-F]{40}")]

ZERO_BYTES32 = bytes(32)
ZERO_ADDRESS = "0x" + "00" * 20


def encode_policy_name(name: str) -> bytes:
    """A policy's name as the chain has it: ASCII, left-aligned, zero-padded to 32 bytes; "none" is all zeros.

    Raises
    ------
    OutOfRange
        If the name has more than 31 characters, or none, or one that is not printable ASCII.
    """
    if name == "none":
        return ZERO_BYTES32
    strange = sum(not (character.isascii() and character.isprintable()) for character in name)
    if strange:
        raise OutOfRange(f"characters that are not printable ASCII in the policy name {name!r}", strange, 0, 0)
    if not 1 <= len(name) <= 31:
        raise OutOfRange(f"length of the policy name {name!r}", len(name), 1, 31)
    return name.encode("ascii").ljust(32, b"\0")
