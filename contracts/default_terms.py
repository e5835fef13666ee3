"""Terms of a venue's desk for defaults, with their bounds; IDefaultBook.sol says what each is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

HOUR = 3600


@dataclass(frozen=True)
class DefaultTerms:
    """Times in seconds, amounts in micro-dollars; the contract refuses what is outside the bounds."""

    lease: int = 4 * HOUR
    """Of a proof; 1 h to 1 d."""
    grace: int = HOUR // 2
    """After the lease; 10 min to 1 d."""
    window: int = HOUR // 4
    """From the revelation to the appraisal; 10 min to 1 d."""
    auction: int = 2 * HOUR // 3
    """In which the price falls; 10 min to 1 d."""
    margin_period: int = 24 * HOUR
    """That the margin model covers: at least the four together, at most 2 d."""
    bounty_usd6: int = 25 * 10**6
    """To whoever freezes; at most 500 USDC."""
    late_fee_usd6: int = 25 * 10**6
    """Of a redeemed account; at most 100 USDC."""
    leases: tuple[int, int, int] = (24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR)
    """Of attestations of levels 1 to 3: none shorter than the one before, at most 31 d."""
    periods: tuple[int, int, int] = (2 * 24 * HOUR, 8 * 24 * HOUR, 31 * 24 * HOUR)
    """That the policy of each level covers: at least its lease, grace, window and auction, at most 32 d."""
    call_grace: int = HOUR // 3
    """After an early call; 10 min to 4 h."""

    def to_abi(self) -> tuple[int, ...]:
        """In the order of the contract's struct."""
        return tuple(asdict(self).values())
