"""Attacks on the statement: `python -m tests.support.soundness` runs them all and writes build/soundness.json.

`determinism.py` shows that the inputs leave no wire open, `rank.py` and `mutation.py` that no constraint can be spared,
`weakening.py` that none can be changed, `malicious.py` that altered witnesses are refused, `policies.py` that a
feasible policy is a met rule. Each is also a test, of a smaller number where it is long.
"""
