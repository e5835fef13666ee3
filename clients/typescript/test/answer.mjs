// Answers Python's questions about messages and requests: JSON on stdin and stdout. Integers travel as text.
import { readFileSync } from "node:fs";
import { encodeFunctionData } from "viem";
import * as zk from "../dist/index.js";

const asked = JSON.parse(readFileSync(0, "utf8"));
const deployment = zk.readDeployment(asked.deployment);

function makeRequest({ make, message, epoch, proof, signature, more }) {
  const words = zk.encodeProof(proof);
  const point = epoch
    ? { number: BigInt(epoch.number), x: BigInt(epoch.x), y: BigInt(epoch.y), path: epoch.path }
    : undefined;
  const read = (name) => zk.readMessage(name, message);
  const makers = {
    open: () => {
      const [ephemeralX, ephemeralY, escrowedKey] = more.map(BigInt);
      return zk.makeOpenRequest(read("Open"), { ephemeralX, ephemeralY, escrowedKey }, words, signature);
    },
    action: () => zk.makeActionRequest(read("Action"), words, signature, point),
    trade: () => {
      const side = zk.makeTradeSide(read("Action"), words, signature);
      return zk.makeTradeRequest(BigInt(more[0]), point, side, side);
    },
    move: () => zk.makeMoveRequest(read("Move"), words, signature),
    bid: () => {
      const [cash, ...book] = more.map(BigInt);
      return zk.makeBidRequest(read("Bid"), cash, book, point, words, signature);
    },
  };
  return makers[make]();
}

function attempt(answer) {
  try {
    return answer();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

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
console.log(JSON.stringify({ messages, calls }));
