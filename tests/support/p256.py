"""ECDSA on P-256 (SEC 2, secp256r1), as slow as a test may be: what a publisher's hardware key does."""

from random import Random

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
A = P - 3
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Affine = tuple[int, int] | None


def add(first: Affine, second: Affine) -> Affine:
    if first is None or second is None:
        return first or second
    (x1, y1), (x2, y2) = first, second
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if first == second else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(point: Affine, scalar: int) -> Affine:
    total: Affine = None
    for bit in bin(scalar)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


class P256Key:
    """A key of a test, the same in every run."""

    def __init__(self, seed: int):
        self._random = Random(seed)
        self._secret = self._random.randrange(1, ORDER)
        self.public = b"".join(word.to_bytes(32, "big") for word in multiply(GENERATOR, self._secret))

    def sign(self, digest: bytes) -> bytes:
        """r and s, 64 bytes; of s and its negative the lower one, as verifiers ask."""
        nonce = self._random.randrange(1, ORDER)
        r = multiply(GENERATOR, nonce)[0] % ORDER
        s = pow(nonce, -1, ORDER) * (int.from_bytes(digest, "big") + r * self._secret) % ORDER
        return r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
