// Times snarkjs's Groth16 prover on a key and a witness: seconds per run as JSON, without node's start and a warm-up.
// snarkjs is taken from the working folder, which is a node_modules.
import { createRequire } from "node:module";

const { groth16 } = createRequire(process.cwd() + "/")("snarkjs");
const [, , zkey, wtns, runs] = process.argv;
const seconds = [];
for (let run = 0; run <= Number(runs); run++) {
  const start = process.hrtime.bigint();
  await groth16.prove(zkey, wtns);
  if (run > 0) seconds.push(Number(process.hrtime.bigint() - start) / 1e9);
}
process.stdout.write(JSON.stringify(seconds) + "\n");
process.exit(0);
