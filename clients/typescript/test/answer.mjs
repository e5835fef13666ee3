// Answers Python's questions about messages and requests: JSON on stdin and stdout. Integers travel as text.
import { readFileSync } from "node:fs";
import { encodeFunctionData } from "viem";
import * as zk from "../dist/index.js";

const asked = JSON.parse(readFileSync(0, "utf8"));
const deployment = zk.readDeployment(asked.deployment);

function makeRequest({ make, message, others, epoch, proof, bookProof, signature, more }) {
  const words = zk.encodeProof(proof);
  const point = epoch
    ? { number: BigInt(epoch.number), x: BigInt(epoch.x), y: BigInt(epoch.y), path: epoch.path }
    : undefined;
  const read = (name) => zk.readMessage(name, message);
  const readAll = () => [message, ...others].map((item) => zk.readMessage("Action", item));
  const readEscrow = () => {
    const [ephemeralX, ephemeralY, escrowedKey] = more.map(BigInt);
    return { ephemeralX, ephemeralY, escrowedKey };
  };
  const makeTrade = (action, tag) => {
    const side = zk.makeTradeSide(action, words, signature);
    return zk.makeTradeRequest(tag, point, side, side);
  };
  const makers = {
    open: () => zk.makeOpenRequest(read("Open"), readEscrow(), words, signature),
    action: () => zk.makeActionRequest(read("Action"), words, signature, point),
    trade: () => makeTrade(read("Action"), BigInt(more[0])),
    move: () => zk.makeMoveRequest(read("Move"), words, signature),
    bid: () => {
      const [cash, ...book] = more.map(BigInt);
      return zk.makeBidRequest(read("Bid"), cash, book, point, words, signature);
    },
    part: () => {
      const [floor, cash, ...book] = more.map(BigInt);
      const offer = { floor, quorum: [signature, "0x12"] };
      const proofs = { proof: words, bookProof: zk.decodeProof(bookProof) };
      return zk.makePartSaleRequest(read("PartPurchase"), offer, cash, book, point, proofs, signature);
    },
    rekey: () => zk.makeRekeyRequest(read("Rekey"), readEscrow(), words, signature),
    attestBatch: () => {
      const requests = readAll().map((action) => zk.makeActionRequest(action, words, signature, point));
      return zk.makeAttestBatch(requests, ...more.map(Number));
    },
    tradeBatch: () => {
      const requests = readAll().map((action, place) => makeTrade(action, BigInt(place)));
      return zk.makeTradeBatch(requests, ...more.map(Number));
    },
  };
  return makers[make]();
}

async function attempt(answer) {
  try {
    return await answer();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const node = { getChainId: async () => deployment.chainId, readContract: async () => deployment.cash };
const venue = await zk.VenueReader.connect(node, deployment);
const functions = {
  ...zk,
  getAccount: (account) => venue.getAccount(account),
  readEvents: (range) => venue.readEvents("Flowed", 0n, BigInt(range)).next(),
};

const messages = asked.messages.map(({ name, message }) =>
  attempt(() => {
    const digest = zk.computeDigest(deployment, name, zk.readMessage(name, message));
    return { digest, context: String(zk.computeContext(digest)) };
  }),
);
const calls = asked.calls.map((call) =>
  attempt(() => {
    const args = [makeRequest(call), ...(call.rest ?? [])];
    return encodeFunctionData({ abi: zk.clearingHouseAbi, functionName: call.function, args });
  }),
);
const checks = asked.checks.map(({ name, args }) =>
  attempt(async () => {
    await functions[name](...args);
    return "taken";
  }),
);
const answers = {
  messages: await Promise.all(messages),
  calls: await Promise.all(calls),
  checks: await Promise.all(checks),
};
console.log(JSON.stringify(answers));
