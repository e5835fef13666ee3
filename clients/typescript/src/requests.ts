/** Calldata of each entry point, from the signed message, so that the two cannot drift apart. */
import type { AbiParametersToPrimitiveTypes, ExtractAbiFunction, ExtractAbiFunctionNames } from "abitype";
import { type Hex, isHex, size, slice } from "viem";
import { ValueInvalid } from "./errors.js";
import type { clearingHouseAbi } from "./generated/abis.js";
import { actionRules } from "./generated/messages.js";
import type { Action, Bid, Move, Open, PartPurchase, Rekey } from "./messages.js";

type Abi = typeof clearingHouseAbi;
type Argument<Name extends ExtractAbiFunctionNames<Abi>> = AbiParametersToPrimitiveTypes<
  ExtractAbiFunction<Abi, Name>["inputs"]
>[0];

export type OpenRequest = Argument<"open">;
export type ActionRequest = Argument<"deposit">;
export type TradeRequest = Argument<"trade">;
export type TradeSide = TradeRequest["plus"];
export type MoveRequest = Argument<"move">;
export type BidRequest = Argument<"bid">;
export type PartSaleRequest = Argument<"sellPart">;
export type RekeyRequest = Argument<"rekey">;
export type AttestBatch = Argument<"attestBatch">;
export type TradeBatch = Argument<"tradeBatch">;
/** A viewing key, encrypted to the committee; the message covers it by its hash. */
export interface Escrow {
  readonly ephemeralX: bigint;
  readonly ephemeralY: bigint;
  readonly escrowedKey: bigint;
}
/** An epoch as an action carries it: its number, and the point of the policy with its path. */
export type EpochPoint = ActionRequest["epoch"];
/** A, B and C of a Groth16 proof as the pairing precompile reads them. */
export type Proof = ActionRequest["proof"];

const ZERO_BYTES32: Hex = `0x${"0".repeat(64)}`;
/** Signature of an action that needs none. */
export const NO_SIGNATURE: Hex = "0x";
const PROOF_BYTES = 256;
/** What an action without an epoch carries in its place. */
export const NO_EPOCH: EpochPoint = { number: 0n, x: 0n, y: 0n, path: [] };

/** The eight words of a proof in snarkjs's JSON form, whose coordinates of B come with the real part first. */
export function encodeProof(json: { pi_a: unknown; pi_b: unknown; pi_c: unknown }): Proof {
  const [ax, ay] = readAffine("pi_a", json.pi_a, readWord);
  const [bx, by] = readAffine("pi_b", json.pi_b, readPair);
  const [cx, cy] = readAffine("pi_c", json.pi_c, readWord);
  return [ax, ay, bx[1], bx[0], by[1], by[0], cx, cy];
}

/** A proof as Python's messages carry it: eight words of 32 bytes, 0x-hex. */
export function decodeProof(bytes: Hex): Proof {
  if (!isHex(bytes) || size(bytes) !== PROOF_BYTES) throw new ValueInvalid("proof", bytes, "256 bytes, 0x-hex");
  const word = (index: number): bigint => BigInt(slice(bytes, 32 * index, 32 * index + 32));
  return [word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7)];
}

/** A request to open an account, with the escrow that the message covers. */
export function makeOpenRequest(message: Open, escrow: Escrow, proof: Proof, signature: Hex): OpenRequest {
  const { auth, index, keyVersion, generation, commitment, submitter, deadline } = message;
  return { auth, index, keyVersion, generation, commitment, ...escrow, submitter, deadline, proof, signature };
}

/** A request for an action on one account; throws `ValueInvalid` for a trade, or another epoch than the action's. */
export function makeActionRequest(
  action: Action,
  proof: Proof,
  signature: Hex = NO_SIGNATURE,
  epoch: EpochPoint = NO_EPOCH,
): ActionRequest {
  const rule = getRule(action, false);
  if (epoch.number !== action.epoch) {
    throw new ValueInvalid("number of the epoch", epoch.number, `${action.epoch}, which the action names`);
  }
  return {
    account: action.account,
    commitmentOld: action.commitmentOld,
    commitmentNew: action.commitmentNew,
    cash: BigInt(rule.flowSign) * (action.cashFlow + action.fee),
    fee: action.fee,
    deadline: action.deadline,
    recipient: action.recipient,
    submitter: action.submitter,
    policy: rule.policyIsChosen ? action.policy : ZERO_BYTES32,
    flows: action.flows,
    epoch,
    proof,
    signature,
  };
}

/** One side of a trade; throws `ValueInvalid` for an action of another kind. */
export function makeTradeSide(action: Action, proof: Proof, signature: Hex): TradeSide {
  getRule(action, true);
  const { account, commitmentOld, commitmentNew, ciphertext, submitter, fee, deadline } = action;
  return { account, commitmentOld, commitmentNew, ciphertext, submitter, fee, deadline, proof, signature };
}

/** A trade of two sides: `plus` receives the legs of the hidden word. */
export function makeTradeRequest(tradeTag: bigint, epoch: EpochPoint, plus: TradeSide, minus: TradeSide): TradeRequest {
  return { tradeTag, epoch, plus, minus };
}

/** A request to take an account from a revoked key version to its successor. */
export function makeMoveRequest(message: Move, proof: Proof, signature: Hex): MoveRequest {
  const { account, commitment, deadline } = message;
  return { account, commitment, deadline, proof, signature };
}

/** A bid for a book in default, whose cash and words are as revealed. */
export function makeBidRequest(
  message: Bid,
  cash: bigint,
  words: readonly bigint[],
  epoch: EpochPoint,
  proof: Proof,
  signature: Hex,
): BidRequest {
  const { book, account, commitmentOld, commitmentNew, price, submitter, deadline } = message;
  return {
    book,
    account,
    commitmentOld,
    commitmentNew,
    price,
    cash,
    words,
    submitter,
    deadline,
    epoch,
    signature,
    proof,
  };
}

/**
 * A sale of a part of a book in default, whose cash and words are as revealed. Floor and quorum are the publishers'
 * signed offer, the proofs the buyer's and the book's.
 */
export function makePartSaleRequest(
  message: PartPurchase,
  offer: { readonly floor: bigint; readonly quorum: readonly Hex[] },
  cash: bigint,
  words: readonly bigint[],
  epoch: EpochPoint,
  proofs: { readonly proof: Proof; readonly bookProof: Proof },
  signature: Hex,
): PartSaleRequest {
  const { book, account, commitmentOld, commitmentNew, bookCommitmentNew, part, price, submitter, deadline } = message;
  const { floor, quorum } = offer;
  return {
    book,
    account,
    commitmentOld,
    commitmentNew,
    bookCommitmentNew,
    part,
    price,
    floor,
    cash,
    words,
    submitter,
    deadline,
    epoch,
    signature,
    quorum,
    ...proofs,
  };
}

/** A request to move an account to a new viewing key, with the escrow that the message covers. */
export function makeRekeyRequest(message: Rekey, escrow: Escrow, proof: Proof, signature: Hex): RekeyRequest {
  const { account, commitmentOld, commitmentNew, checkpoint, submitter, deadline } = message;
  return { account, commitmentOld, commitmentNew, ...escrow, checkpoint, submitter, deadline, signature, proof };
}

/**
 * Attestations of accounts of that key version and generation, each as it would come alone.
 *
 * Throws `ValueInvalid` if there is none, or two differ in policy, deadline, submitter or epoch.
 */
export function makeAttestBatch(
  requests: readonly ActionRequest[],
  keyVersion: number,
  generation: number,
): AttestBatch {
  const { policy, deadline, submitter, epoch } = requireSame(requests, {
    policy: (request) => request.policy,
    deadline: (request) => request.deadline,
    submitter: (request) => request.submitter,
    epoch: showEpoch,
  });
  const rows = requests.map(({ account, commitmentOld, proof }) => ({ account, commitment: commitmentOld, proof }));
  return { policy, keyVersion, generation, deadline, submitter, epoch, rows };
}

/**
 * Trades between accounts of that key version and generation, each as it would come alone, in order.
 *
 * Throws `ValueInvalid` if there is none, or two are at different epochs.
 */
export function makeTradeBatch(requests: readonly TradeRequest[], keyVersion: number, generation: number): TradeBatch {
  const { epoch } = requireSame(requests, { epoch: showEpoch });
  const rows = requests.map(({ tradeTag, plus, minus }) => ({ tradeTag, plus, minus }));
  return { keyVersion, generation, epoch, rows };
}

function showEpoch({ epoch }: { readonly epoch: EpochPoint }): string {
  return [epoch.number, epoch.x, epoch.y, ...epoch.path].join();
}

/** The first of a batch's requests, which the others equal in these parts. */
function requireSame<R>(requests: readonly R[], parts: Record<string, (request: R) => Hex | string | number>): R {
  const [first] = requests;
  if (first === undefined) throw new ValueInvalid("number of requests in a batch", 0, "at least 1");
  for (const [name, read] of Object.entries(parts)) {
    const shared = String(read(first)).toLowerCase();
    const other = requests.map((request) => String(read(request))).find((value) => value.toLowerCase() !== shared);
    if (other !== undefined) {
      throw new ValueInvalid(`${name} of a request in a batch`, other, `${shared}, the first one's`);
    }
  }
  return first;
}

function getRule(action: Action, hasSides: boolean): (typeof actionRules)[number] {
  const allowed = actionRules.filter((rule) => rule.hasSides === hasSides);
  const found = allowed.find((rule) => rule.kind === action.kind);
  if (found === undefined) {
    const names = allowed.map((rule) => `${rule.kind} ${rule.name}`).join(", ");
    throw new ValueInvalid("kind of the action", action.kind, names);
  }
  return found;
}

function readAffine<T>(name: string, point: unknown, read: (name: string, value: unknown) => T): [T, T] {
  const parts: unknown[] = Array.isArray(point) ? point : [];
  const last = parts.length === 3 ? (Array.isArray(parts[2]) ? parts[2].join() : parts[2]) : undefined;
  if (last !== "1" && last !== "1,0") throw new ValueInvalid(name, point, "an affine point of three parts, z = 1");
  return [read(name, parts[0]), read(name, parts[1])];
}

function readPair(name: string, value: unknown): [bigint, bigint] {
  const parts: unknown[] = Array.isArray(value) ? value : [];
  if (parts.length !== 2) throw new ValueInvalid(name, value, "coordinates of two parts");
  return [readWord(name, parts[0]), readWord(name, parts[1])];
}

function readWord(name: string, value: unknown): bigint {
  if (typeof value !== "string" || !/^[0-9]{1,78}$/.test(value)) {
    throw new ValueInvalid(name, value, "decimal numbers as text");
  }
  return BigInt(value);
}
