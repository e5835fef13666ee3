/** What a venue's contracts say, read with viem. */
import {
  type Address,
  type ContractEventName,
  type GetContractEventsReturnType,
  type Hex,
  type PublicClient,
  hexToString,
  isHex,
  size,
  trim,
} from "viem";
import type { Deployment } from "./deployment.js";
import { ValueInvalid } from "./errors.js";
import { accountViewsAbi, clearingHouseAbi, riskOracleAbi } from "./generated/abis.js";

/** Blocks that one request for logs asks for; public nodes refuse more. */
export const LOG_RANGE = 2_000n;

type HouseEvent = ContractEventName<typeof clearingHouseAbi>;
type Log<Name extends HouseEvent> = GetContractEventsReturnType<typeof clearingHouseAbi, Name, true>[number];

/** Which margin an account proved last, at an epoch that still counts. */
export interface Proved {
  /** Name of the policy; empty if nothing counts. */
  readonly margin: string;
  /** Unix seconds of the epoch's prices. */
  readonly time: number;
  readonly epoch: bigint;
}

/** Reads one deployment; writes nothing and holds no key. */
export class VenueReader {
  private constructor(
    readonly client: PublicClient,
    readonly deployment: Deployment,
    private readonly views: Address,
  ) {}

  /** A reader, once the node's chain is the deployment's; throws `ValueInvalid` if it is another. */
  static async connect(client: PublicClient, deployment: Deployment): Promise<VenueReader> {
    const chainId = await client.getChainId();
    if (chainId !== deployment.chainId) {
      throw new ValueInvalid("chain id of the node", chainId, `${deployment.chainId}, the deployment's`);
    }
    const views = await client.readContract({
      address: deployment.clearingHouse,
      abi: clearingHouseAbi,
      functionName: "VIEWS",
    });
    return new VenueReader(client, deployment, views);
  }

  /** Number of an owner's account. */
  async getAccountId(auth: Address, index: bigint): Promise<Hex> {
    return this.client.readContract({ ...this.house, functionName: "accountId", args: [auth, index] });
  }

  /** What the chain knows of an account; status 0 if it never was opened. */
  async getAccount(account: Hex) {
    return this.client.readContract({ ...this.house, functionName: "accountOf", args: [checkBytes32(account)] });
  }

  /** Whether margin was proved at prices at most `maxAge` seconds old, at an epoch that still counts. */
  async isCurrent(account: Hex, maxAge: bigint): Promise<boolean> {
    const contract = { address: this.views, abi: accountViewsAbi } as const;
    return this.client.readContract({ ...contract, functionName: "isCurrent", args: [checkBytes32(account), maxAge] });
  }

  /** Which margin `isCurrent` rests on, since when and at which epoch. */
  async getProved(account: Hex): Promise<Proved> {
    const contract = { address: this.views, abi: accountViewsAbi } as const;
    const found = await this.client.readContract({
      ...contract,
      functionName: "provedOf",
      args: [checkBytes32(account)],
    });
    return { ...found, margin: decodePolicyName(found.margin) };
  }

  /** Number of the latest epoch, 0 before the first. */
  async getLatestEpoch(): Promise<bigint> {
    const oracle = { address: this.deployment.riskOracle, abi: riskOracleAbi } as const;
    return this.client.readContract({ ...oracle, functionName: "latestNumber" });
  }

  /** Whether the digest is burned for this account. */
  async isInvalidated(account: Hex, digest: Hex): Promise<boolean> {
    const args = [checkBytes32(account), checkBytes32(digest)] as const;
    return this.client.readContract({ ...this.house, functionName: "isInvalidated", args });
  }

  /** Events of the clearing house in the chain's order, from `fromBlock` (the deployment's first) to the latest. */
  async *readEvents<Name extends HouseEvent>(
    eventName: Name,
    fromBlock: bigint = this.deployment.firstBlock,
    range: bigint = LOG_RANGE,
  ): AsyncGenerator<Log<Name>> {
    if (range < 1n) throw new ValueInvalid("blocks of one request", range, "at least 1");
    const latest = await this.client.getBlockNumber({ cacheTime: 0 });
    for (let first = fromBlock; first <= latest; first += range) {
      const last = first + range - 1n < latest ? first + range - 1n : latest;
      const logs = await this.client.getContractEvents({
        ...this.house,
        eventName,
        fromBlock: first,
        toBlock: last,
        strict: true,
      });
      yield* logs as unknown as Log<Name>[];
    }
  }

  private get house() {
    return { address: this.deployment.clearingHouse, abi: clearingHouseAbi } as const;
  }
}

/** A policy's name out of the 32 bytes that a contract has. */
export function decodePolicyName(name: Hex): string {
  return hexToString(trim(checkBytes32(name), { dir: "right" })).replaceAll("\0", "");
}

function checkBytes32(value: Hex): Hex {
  if (!isHex(value) || size(value) !== 32) throw new ValueInvalid("account or digest", value, "32 bytes, 0x-hex");
  return value;
}
