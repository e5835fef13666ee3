"use strict";
// Runs circom's witness generators for the tests: JSON lines in, JSON lines out, one process for all.
//   {"load": name, "wasm": path, "calculator": path}   -> {"ok": true}
//   {"run": name, "input": {signal: values}}           -> {"ok": true, "wires": base64, 32 bytes little-endian each}
// A refusal by the generator, or any other error, is {"ok": false, "error": text}.
const fs = require("fs");
const readline = require("readline");

const circuits = new Map();

async function answer(request) {
  if (request.load !== undefined) {
    const build = require(request.calculator);
    const code = fs.readFileSync(request.wasm);
    circuits.set(request.load, await build(code));
    return { ok: true };
  }
  const wires = await circuits.get(request.run).calculateBinWitness(request.input, 0);
  return { ok: true, wires: Buffer.from(wires).toString("base64") };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let reply;
    try {
      reply = await answer(JSON.parse(line));
    } catch (error) {
      reply = { ok: false, error: String(error.message || error) };
    }
    process.stdout.write(JSON.stringify(reply) + "\n");
  }
}

main();
