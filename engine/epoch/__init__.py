"""What risk publishers sign: an epoch, an expiry step, and what may follow what."""
