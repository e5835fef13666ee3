// One proof system of snarkjs on one circuit: set-up, witness, proofs, and the verifier that it exports in Solidity.
// What is wanted comes as JSON on standard input: { system, r1cs, wasm, inputs, powers, zkey, folder, runs }; without
// powers the key is there already. Figures go to standard output; seconds are of the processor, in all threads.
// snarkjs is taken from the working folder, which is a node_modules.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const packages = createRequire(process.cwd() + "/");
const snarkjs = packages("snarkjs");
const { readR1cs } = packages("r1csfile");
const wanted = JSON.parse(readFileSync(0, "utf8"));
const system = snarkjs[wanted.system];
const figures = {};

async function time(work) {
  const start = process.cpuUsage();
  const result = await work();
  const { user, system: kernel } = process.cpuUsage(start);
  return [result, (user + kernel) / 1e6];
}

async function countProducts(path) {
  const circuit = await readR1cs(path, { loadConstraints: true });
  const hasWire = (form) => Object.keys(form).some((wire) => wire !== "0");
  figures.public_inputs = circuit.nOutputs + circuit.nPubInputs;
  figures.products = circuit.constraints.filter(([a, b]) => hasWire(a) && hasWire(b)).length;
  await circuit.curve?.terminate();
}

async function setUp() {
  const seen = [];
  const note = (line) => seen.push(String(line));
  const logger = { debug() {}, info: note, warn: note, error: note };
  const [refused, seconds] = await time(() => system.setup(wanted.r1cs, wanted.powers, wanted.zkey, logger));
  figures.gates = Number(seen.join("\n").match(/Plonk constraints: (\d+)/)[1]);
  figures.domain = 2 ** Math.ceil(Math.log2(figures.gates));
  if (refused === -1) figures.refused = seen[seen.length - 1];
  else figures.set_up_cpu_s = seconds;
}

async function prove() {
  const witness = `${wanted.folder}/witness.wtns`;
  await snarkjs.wtns.calculate(wanted.inputs, wanted.wasm, witness);
  const seconds = [];
  let made;
  for (let run = 0; run < wanted.runs; run++) {
    const [proven, taken] = await time(() => system.prove(wanted.zkey, witness));
    made = proven;
    seconds.push(taken);
  }
  const { proof, publicSignals } = made;
  const key = await snarkjs.zKey.exportVerificationKey(wanted.zkey);
  if (!(await system.verify(key, publicSignals, proof))) throw new Error("the proof does not verify");
  const template = `${process.cwd()}/snarkjs/templates/verifier_${wanted.system}.sol.ejs`;
  const templates = { [wanted.system]: readFileSync(template, "utf8") };
  writeFileSync(`${wanted.folder}/verifier.sol`, await snarkjs.zKey.exportSolidityVerifier(wanted.zkey, templates));
  const calldata = await system.exportSolidityCallData(proof, publicSignals);
  const words = calldata.match(/0x[0-9a-fA-F]+/g);
  figures.key_bytes = statSync(wanted.zkey).size;
  figures.prove_cpu_s = seconds.sort((a, b) => a - b)[seconds.length >> 1];
  figures.proof_bytes = 32 * (words.length - publicSignals.length);
  figures.words = words;
}

await countProducts(wanted.r1cs);
if (wanted.powers) await setUp();
if (!figures.refused && wanted.inputs) await prove();
process.stdout.write(JSON.stringify(figures) + "\n");
process.exit(0);
