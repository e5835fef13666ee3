import { type Address, getAddress, isAddress } from "viem";
import { ValueInvalid } from "./errors.js";

/** Characters of a text that an error shows. */
const SHOWN = 60;

/** Where a venue is: what `zkmargin deploy --out` writes, as far as this client reads it. */
export interface Deployment {
  /** EIP-155. */
  readonly chainId: number;
  readonly riskOracle: Address;
  readonly clearingHouse: Address;
  readonly collateralVault: Address;
  readonly attestationVerifier: Address;
  /** USDC: six decimals. */
  readonly cash: Address;
  /** Block before the first contract, where reading events begins. */
  readonly firstBlock: bigint;
}

/** The record of a deployment from its JSON, parsed or as text; throws `ValueInvalid`. */
export function readDeployment(json: unknown): Deployment {
  const record = readRecord(json);
  const address = (field: string): Address => {
    const value = record[field];
    if (typeof value !== "string" || !isAddress(value, { strict: false })) {
      throw new ValueInvalid(field, value, "an address");
    }
    return getAddress(value);
  };
  const whole = (field: string): number => {
    const value = record[field];
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw new ValueInvalid(field, value, "a whole number from 0 to 2^53 - 1");
    }
    return value as number;
  };
  return {
    chainId: whole("chain_id"),
    riskOracle: address("risk_oracle"),
    clearingHouse: address("clearing_house"),
    collateralVault: address("collateral_vault"),
    attestationVerifier: address("attestation_verifier"),
    cash: address("cash"),
    firstBlock: BigInt(whole("first_block")),
  };
}

function readRecord(json: unknown): Record<string, unknown> {
  const value: unknown = typeof json === "string" ? parse(json) : json;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ValueInvalid("deployment", value, "an object with named fields");
  }
  return value as Record<string, unknown>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ValueInvalid("deployment", text.slice(0, SHOWN), "an object as JSON");
  }
}
