// Times snarkjs's Groth16 prover on a key and a witness: seconds per run as JSON, node's start and one warm-up left out.
import { groth16 } from "snarkjs";

const [, , zkey, wtns, runs] = process.argv;
const seconds = [];
for (let run = 0; run <= Number(runs); run++) {
  const start = process.hrtime.bigint();
  await groth16.prove(zkey, wtns);
  if (run > 0) seconds.push(Number(process.hrtime.bigint() - start) / 1e9);
}
process.stdout.write(JSON.stringify(seconds) + "\n");
process.exit(0);
