/** The typed messages (EIP-712) of the protocol, from the one table that Python and Solidity are made from. */
import type { TypedDataToPrimitiveTypes } from "abitype";
import { type Address, type Hex, hashTypedData, isAddress, isHex, size } from "viem";
import type { Deployment } from "./deployment.js";
import { ValueInvalid } from "./errors.js";
import { domain, types, verifyingContract } from "./generated/messages.js";

/** Every type of the table, by name, as viem's values: integers of up to 48 bits are numbers, wider ones bigints. */
export type Messages = TypedDataToPrimitiveTypes<typeof types>;
/** Names of the messages that are signed by themselves. */
export type MessageName = keyof typeof verifyingContract;
export type Action = Messages["Action"];
export type Open = Messages["Open"];
export type Move = Messages["Move"];
export type Bid = Messages["Bid"];
export type PartPurchase = Messages["PartPurchase"];
export type Rekey = Messages["Rekey"];

/** What `signTypedData` of a viem wallet takes. */
export interface TypedData<Name extends MessageName> {
  readonly domain: { name: string; version: string; chainId: number; verifyingContract: Address };
  readonly types: typeof types;
  readonly primaryType: Name;
  readonly message: Messages[Name];
}

/** Bits of a digest that the proof leaves out: a field element has fewer than 254. */
const CONTEXT_SHIFT = 8n;
/** viem holds integers of up to so many bits as numbers. */
const NUMBER_BITS = 48;

/** The message with its domain: the contract of `deployment` that reads it. */
export function makeTypedData<Name extends MessageName>(
  deployment: Deployment,
  name: Name,
  message: Messages[Name],
): TypedData<Name> {
  const reader = verifyingContract[name] === "RiskOracle" ? deployment.riskOracle : deployment.clearingHouse;
  return {
    domain: { ...domain, chainId: deployment.chainId, verifyingContract: reader },
    types,
    primaryType: name,
    message,
  };
}

/** EIP-712 digest: what is signed, and what `invalidate` names. */
export function computeDigest<Name extends MessageName>(
  deployment: Deployment,
  name: Name,
  message: Messages[Name],
): Hex {
  // The table's types are one record; viem's types ask which message it is, which is a parameter here.
  return hashTypedData(makeTypedData(deployment, name, message) as Parameters<typeof hashTypedData>[0]);
}

/** The digest as a proof binds it, below 2^248. */
export function computeContext(digest: Hex): bigint {
  if (!isHex(digest) || size(digest) !== 32) throw new ValueInvalid("digest", digest, "32 bytes, 0x-hex");
  return BigInt(digest) >> CONTEXT_SHIFT;
}

/**
 * A message from the JSON that Python writes: decimal strings for wide integers, 0x-hex for bytes.
 *
 * Throws `ValueInvalid` if a field is missing, unknown, or outside its type.
 */
export function readMessage<Name extends keyof Messages>(name: Name, json: unknown): Messages[Name] {
  if (!Object.hasOwn(types, name)) throw new ValueInvalid("type", name, Object.keys(types).join(", "));
  return readStruct(name, json, name) as Messages[Name];
}

function readStruct(name: keyof Messages, json: unknown, path: string): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new ValueInvalid(path, json, "an object with named fields");
  }
  const fields: readonly { readonly name: string; readonly type: string }[] = types[name];
  const unknown = Object.keys(json).find((key) => !fields.some((field) => field.name === key));
  if (unknown !== undefined) throw new ValueInvalid(`${path}.${unknown}`, "given", "no field of this name");
  const values = json as Record<string, unknown>;
  return Object.fromEntries(
    fields.map((field) => [field.name, readValue(field.type, values[field.name], `${path}.${field.name}`)]),
  );
}

function readValue(type: string, value: unknown, path: string): unknown {
  if (type.endsWith("[]")) {
    if (!Array.isArray(value)) throw new ValueInvalid(path, value, "a list");
    return value.map((item, index) => readValue(type.slice(0, -2), item, `${path}[${index}]`));
  }
  if (Object.hasOwn(types, type)) return readStruct(type as keyof Messages, value, path);
  if (type.startsWith("uint") || type.startsWith("int")) return readInteger(type, value, path);
  const isRight =
    typeof value === "string" &&
    (type === "string" ||
      (type === "address" && isAddress(value, { strict: false })) ||
      (type === "bytes32" && isHex(value) && value.length === 66));
  if (!isRight) throw new ValueInvalid(path, value, type);
  return value;
}

function readInteger(type: string, value: unknown, path: string): number | bigint {
  const signed = type.startsWith("int");
  const bits = Number(type.slice(signed ? 3 : 4));
  const [low, end] = signed ? [-(1n << BigInt(bits - 1)), 1n << BigInt(bits - 1)] : [0n, 1n << BigInt(bits)];
  const isWhole =
    typeof value === "bigint" ||
    (typeof value === "number" && Number.isSafeInteger(value)) ||
    (typeof value === "string" && /^-?[0-9]{1,80}$/.test(value));
  const found = isWhole ? BigInt(value) : end;
  if (found < low || found >= end) throw new ValueInvalid(path, value, `a whole number in [${low}, ${end})`);
  return bits <= NUMBER_BITS ? Number(found) : found;
}
