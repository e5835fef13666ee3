// Generated from prover/messages/messages.json and contracts/actions.json by `make generate`. Do not edit.

/** Name and version of every domain (EIP-712). */
export const domain = {
  "name": "zkmargin",
  "version": "1"
} as const;

/** Which contract reads each message that is signed by itself. */
export const verifyingContract = {
  "Epoch": "RiskOracle",
  "Settlement": "RiskOracle",
  "Action": "ClearingHouse",
  "Open": "ClearingHouse",
  "Invalidate": "ClearingHouse",
  "Confirmation": "ClearingHouse",
  "Move": "ClearingHouse",
  "Reveal": "ClearingHouse",
  "Rekey": "ClearingHouse",
  "Appraisal": "ClearingHouse",
  "Bid": "ClearingHouse",
  "PartOffer": "ClearingHouse",
  "PartPurchase": "ClearingHouse",
  "EarlyCall": "ClearingHouse",
  "KeyDerivation": "ClearingHouse",
  "RequestForQuote": "ClearingHouse",
  "Quote": "ClearingHouse",
  "Accept": "ClearingHouse",
  "Attestation": "ClearingHouse"
} as const;

/** Fields of every type. */
export const types = {
  "Epoch": [
    {
      "name": "number",
      "type": "uint64"
    },
    {
      "name": "time",
      "type": "uint40"
    },
    {
      "name": "generation",
      "type": "uint24"
    },
    {
      "name": "minEpoch",
      "type": "uint64"
    },
    {
      "name": "snapshotHash",
      "type": "bytes32"
    },
    {
      "name": "policyHash",
      "type": "bytes32"
    },
    {
      "name": "settlementHash",
      "type": "bytes32"
    },
    {
      "name": "keyHash",
      "type": "bytes32"
    },
    {
      "name": "pointsRoot",
      "type": "bytes32"
    },
    {
      "name": "settlementX",
      "type": "uint256"
    },
    {
      "name": "settlementY",
      "type": "uint256"
    }
  ],
  "Settlement": [
    {
      "name": "keyHash",
      "type": "bytes32"
    },
    {
      "name": "fromGeneration",
      "type": "uint24"
    },
    {
      "name": "steps",
      "type": "uint24"
    },
    {
      "name": "number",
      "type": "uint64"
    },
    {
      "name": "settlementHash",
      "type": "bytes32"
    },
    {
      "name": "x",
      "type": "uint256"
    },
    {
      "name": "y",
      "type": "uint256"
    }
  ],
  "Flow": [
    {
      "name": "slot",
      "type": "uint16"
    },
    {
      "name": "lots",
      "type": "int64"
    }
  ],
  "Action": [
    {
      "name": "kind",
      "type": "uint8"
    },
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "counterparty",
      "type": "bytes32"
    },
    {
      "name": "keyVersion",
      "type": "uint16"
    },
    {
      "name": "epoch",
      "type": "uint64"
    },
    {
      "name": "policy",
      "type": "bytes32"
    },
    {
      "name": "generationOld",
      "type": "uint24"
    },
    {
      "name": "generationNew",
      "type": "uint24"
    },
    {
      "name": "commitmentOld",
      "type": "uint256"
    },
    {
      "name": "commitmentNew",
      "type": "uint256"
    },
    {
      "name": "tradeTag",
      "type": "uint256"
    },
    {
      "name": "ciphertext",
      "type": "uint256"
    },
    {
      "name": "side",
      "type": "int8"
    },
    {
      "name": "cashFlow",
      "type": "int128"
    },
    {
      "name": "flows",
      "type": "Flow[]"
    },
    {
      "name": "recipient",
      "type": "address"
    },
    {
      "name": "submitter",
      "type": "address"
    },
    {
      "name": "fee",
      "type": "uint64"
    },
    {
      "name": "deadline",
      "type": "uint40"
    }
  ],
  "Open": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "auth",
      "type": "address"
    },
    {
      "name": "index",
      "type": "uint64"
    },
    {
      "name": "keyVersion",
      "type": "uint16"
    },
    {
      "name": "generation",
      "type": "uint24"
    },
    {
      "name": "commitment",
      "type": "uint256"
    },
    {
      "name": "escrowHash",
      "type": "bytes32"
    },
    {
      "name": "submitter",
      "type": "address"
    },
    {
      "name": "deadline",
      "type": "uint40"
    }
  ],
  "Invalidate": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "digest",
      "type": "bytes32"
    }
  ],
  "Confirmation": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "commitment",
      "type": "uint256"
    },
    {
      "name": "epoch",
      "type": "uint64"
    }
  ],
  "Move": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "keyVersion",
      "type": "uint16"
    },
    {
      "name": "commitment",
      "type": "uint256"
    },
    {
      "name": "deadline",
      "type": "uint40"
    }
  ],
  "Reveal": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "keyVersion",
      "type": "uint16"
    },
    {
      "name": "generation",
      "type": "uint24"
    },
    {
      "name": "commitment",
      "type": "uint256"
    },
    {
      "name": "cash",
      "type": "int128"
    },
    {
      "name": "words",
      "type": "uint256[]"
    }
  ],
  "Rekey": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "keyVersion",
      "type": "uint16"
    },
    {
      "name": "commitmentOld",
      "type": "uint256"
    },
    {
      "name": "commitmentNew",
      "type": "uint256"
    },
    {
      "name": "escrowHash",
      "type": "bytes32"
    },
    {
      "name": "checkpoint",
      "type": "uint256[]"
    },
    {
      "name": "submitter",
      "type": "address"
    },
    {
      "name": "deadline",
      "type": "uint40"
    }
  ],
  "Appraisal": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "commitment",
      "type": "uint256"
    },
    {
      "name": "epoch",
      "type": "uint64"
    },
    {
      "name": "equity",
      "type": "int128"
    },
    {
      "name": "floor",
      "type": "int128"
    }
  ],
  "Bid": [
    {
      "name": "book",
      "type": "bytes32"
    },
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "keyVersion",
      "type": "uint16"
    },
    {
      "name": "epoch",
      "type": "uint64"
    },
    {
      "name": "generationOld",
      "type": "uint24"
    },
    {
      "name": "generationNew",
      "type": "uint24"
    },
    {
      "name": "commitmentOld",
      "type": "uint256"
    },
    {
      "name": "commitmentNew",
      "type": "uint256"
    },
    {
      "name": "price",
      "type": "int128"
    },
    {
      "name": "cashFlow",
      "type": "int128"
    },
    {
      "name": "submitter",
      "type": "address"
    },
    {
      "name": "deadline",
      "type": "uint40"
    }
  ],
  "PartOffer": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "commitment",
      "type": "uint256"
    },
    {
      "name": "epoch",
      "type": "uint64"
    },
    {
      "name": "part",
      "type": "Flow[]"
    },
    {
      "name": "floor",
      "type": "int128"
    }
  ],
  "PartPurchase": [
    {
      "name": "book",
      "type": "bytes32"
    },
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "keyVersion",
      "type": "uint16"
    },
    {
      "name": "epoch",
      "type": "uint64"
    },
    {
      "name": "generation",
      "type": "uint24"
    },
    {
      "name": "commitmentOld",
      "type": "uint256"
    },
    {
      "name": "commitmentNew",
      "type": "uint256"
    },
    {
      "name": "bookCommitmentNew",
      "type": "uint256"
    },
    {
      "name": "part",
      "type": "Flow[]"
    },
    {
      "name": "price",
      "type": "int128"
    },
    {
      "name": "submitter",
      "type": "address"
    },
    {
      "name": "deadline",
      "type": "uint40"
    }
  ],
  "EarlyCall": [
    {
      "name": "level",
      "type": "uint8"
    },
    {
      "name": "epoch",
      "type": "uint64"
    }
  ],
  "KeyDerivation": [
    {
      "name": "purpose",
      "type": "string"
    },
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "keyIndex",
      "type": "uint32"
    }
  ],
  "Leg": [
    {
      "name": "slot",
      "type": "uint16"
    },
    {
      "name": "lots",
      "type": "int64"
    }
  ],
  "RequestForQuote": [
    {
      "name": "taker",
      "type": "bytes32"
    },
    {
      "name": "maker",
      "type": "bytes32"
    },
    {
      "name": "generation",
      "type": "uint24"
    },
    {
      "name": "legs",
      "type": "Leg[]"
    },
    {
      "name": "validUntil",
      "type": "uint40"
    },
    {
      "name": "id",
      "type": "bytes32"
    }
  ],
  "Quote": [
    {
      "name": "request",
      "type": "bytes32"
    },
    {
      "name": "maker",
      "type": "bytes32"
    },
    {
      "name": "taker",
      "type": "bytes32"
    },
    {
      "name": "makerSide",
      "type": "int8"
    },
    {
      "name": "word",
      "type": "uint256"
    },
    {
      "name": "salt",
      "type": "uint256"
    },
    {
      "name": "makerCommitmentOld",
      "type": "uint256"
    },
    {
      "name": "epoch",
      "type": "uint64"
    },
    {
      "name": "generation",
      "type": "uint24"
    },
    {
      "name": "validUntil",
      "type": "uint40"
    }
  ],
  "Accept": [
    {
      "name": "quote",
      "type": "bytes32"
    },
    {
      "name": "takerCommitmentOld",
      "type": "uint256"
    }
  ],
  "Attestation": [
    {
      "name": "account",
      "type": "bytes32"
    },
    {
      "name": "recipient",
      "type": "address"
    },
    {
      "name": "challenge",
      "type": "bytes32"
    },
    {
      "name": "policy",
      "type": "bytes32"
    },
    {
      "name": "epoch",
      "type": "uint64"
    },
    {
      "name": "keyVersion",
      "type": "uint16"
    },
    {
      "name": "generation",
      "type": "uint24"
    },
    {
      "name": "commitmentOld",
      "type": "uint256"
    },
    {
      "name": "validUntil",
      "type": "uint40"
    }
  ]
} as const;

/** The action table's rows, as far as a request needs them; OPEN has a message of its own. */
export const actionRules = [
  {
    "kind": 2,
    "name": "DEPOSIT",
    "hasSides": false,
    "policyIsChosen": false,
    "flowSign": 1
  },
  {
    "kind": 3,
    "name": "TRADE",
    "hasSides": true,
    "policyIsChosen": false,
    "flowSign": 0
  },
  {
    "kind": 4,
    "name": "WITHDRAW",
    "hasSides": false,
    "policyIsChosen": false,
    "flowSign": -1
  },
  {
    "kind": 5,
    "name": "CURE",
    "hasSides": false,
    "policyIsChosen": false,
    "flowSign": 1
  },
  {
    "kind": 6,
    "name": "ATTEST",
    "hasSides": false,
    "policyIsChosen": true,
    "flowSign": 0
  },
  {
    "kind": 7,
    "name": "WITHDRAW_FLAT",
    "hasSides": false,
    "policyIsChosen": false,
    "flowSign": -1
  },
  {
    "kind": 8,
    "name": "CLOSE",
    "hasSides": false,
    "policyIsChosen": false,
    "flowSign": -1
  },
  {
    "kind": 9,
    "name": "ROLL",
    "hasSides": false,
    "policyIsChosen": false,
    "flowSign": 0
  }
] as const;
