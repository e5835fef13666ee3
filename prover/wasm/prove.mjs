// node prove.mjs MODULE R1CS ZKEY DIGEST WTNS RUNS: proofs and times as JSON on standard output. DIGEST is the hex
// SHA-256 of a key that passed every check, or "new" for a key that is checked here.

import { readFileSync } from "node:fs";
import { createProver } from "./prover.mjs";

const [module, r1cs, zkey, digest, wtns, runs] = process.argv.slice(2);
const seconds = {};

async function timed(name, work) {
  const start = performance.now();
  const result = await work();
  (seconds[name] ??= []).push((performance.now() - start) / 1e3);
  return result;
}

const prover = await createProver(await WebAssembly.compile(readFileSync(module)));
await timed("circuit", () => prover.loadCircuit(readFileSync(r1cs)));
const key = readFileSync(zkey);
await timed("key", () =>
  digest === "new" ? prover.loadKey(key) : prover.loadKnownKey(key, Buffer.from(digest, "hex")),
);
const witness = readFileSync(wtns);
const proofs = [];
while (proofs.length < Number(runs)) proofs.push(await timed("prove", () => prover.prove(witness)));
const words = proofs.map((proof) => Buffer.from(proof).toString("hex"));
console.log(JSON.stringify({ proofs: words, seconds, memory_bytes: prover.memory() }));
