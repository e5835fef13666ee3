"""The auditor: recomputes from a chain and published bytes everything that a venue's publishers signed and its accounts
proved. Begin with `run.py`.

======================  ============================================================================
`run.py`                the audit from beginning to end
`report.py`             what it says: every check by name, what was not checked, disagreements
`source.py`             events in order, and the calldata behind them
`ledger.py`             the auditor's own copy of the books, made of events alone; the checkpoint file
`versions.py`           key versions against the files of the keys
`publishers.py`         epochs and settlements: quorum, snapshot, policies, points, succession
`bounds.py`             exact row sums: the premise of the packing lemma
`accounts.py`           actions: commitments, rules, signatures, proofs
`tokens.py`             the vault: in, out, and in between
`storage.py`            code, wiring, and storage against the ledger
`curve.py`              BN254 over py_ecc: keys, points, proofs; no code of the native prover
`published.py`          bytes that are served beside the chain, by hash
======================  ============================================================================
"""
