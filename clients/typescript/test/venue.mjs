// Plays an owner whose key is here and whose proofs come from Python: signs, sends, reads. JSON on stdin and stdout.
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import * as zk from "../dist/index.js";

const asked = JSON.parse(readFileSync(0, "utf8"));
const deployment = zk.readDeployment(asked.deployment);
const transport = http(asked.url);
const client = createPublicClient({ transport });
const venue = await zk.VenueReader.connect(client, deployment);
const owner = privateKeyToAccount(asked.key);
const sender = createWalletClient({ transport, account: asked.sender });

const action = zk.readMessage("Action", asked.action);
const signature = await owner.signTypedData(zk.makeTypedData(deployment, "Action", action));
const request = zk.makeActionRequest(action, zk.decodeProof(asked.proof), signature);
const account = await venue.getAccountId(owner.address, 0n);
const readMargin = async () => ({
  proved: await venue.getProved(account),
  isCurrent: await venue.isCurrent(account, 3600n),
});
const before = await readMargin();
const call = { address: deployment.clearingHouse, abi: zk.clearingHouseAbi, functionName: "deposit", args: [request] };
const hash = await sender.writeContract({ ...call, chain: null });
const { status } = await client.waitForTransactionReceipt({ hash });

const events = [];
for await (const event of venue.readEvents("Flowed", undefined, BigInt(asked.range))) events.push(event.args);
const refused = await zk.VenueReader.connect(client, { ...deployment, chainId: 5 }).catch((error) => error.message);
const show = (_, value) => (typeof value === "bigint" ? String(value) : value);
const shown = {
  status,
  signature,
  account,
  refused,
  view: await venue.getAccount(account),
  before,
  after: await readMargin(),
  latestEpoch: await venue.getLatestEpoch(),
  isInvalidated: await venue.isInvalidated(account, account),
  flows: events.filter((event) => event.account === account),
};
console.log(JSON.stringify(shown, show));
