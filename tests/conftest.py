"""What every test shares: one thread a process, since `make test` has a process for each core."""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # read when numpy and scikit-learn load, so before any test module
