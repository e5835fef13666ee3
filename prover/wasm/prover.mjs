// The prover as a WebAssembly module, in node or a browser: the other half of prover/native/wasm.
//
//   const prover = await createProver(await WebAssembly.compile(bytes));
//   prover.loadCircuit(r1cs); prover.loadKey(zkey);            // Uint8Array each
//   const proof = prover.prove(wtns);                          // 256 bytes, as the EVM's precompile takes them
//
// A thrown ProverError carries the core's message. Nothing here checks a witness or a proof: the module does both.

export class ProverError extends Error {}

const RANDOM_LIMIT = 65_536; // bytes that one call of getRandomValues gives

/** An instance with memory of its own; `module` is what WebAssembly.compile gave. */
export async function createProver(module) {
  const host = {
    fill_random(to, length) {
      const bytes = new Uint8Array(exports.memory.buffer, to, length);
      for (let done = 0; done < length; done += RANDOM_LIMIT) {
        globalThis.crypto.getRandomValues(bytes.subarray(done, Math.min(length, done + RANDOM_LIMIT)));
      }
      return 0;
    },
  };
  const { exports } = await WebAssembly.instantiate(module, { host });

  function call(name, ...parts) {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const at = exports.reserve(length) >>> 0; // memory may have grown: views are made afterwards
    const room = new Uint8Array(exports.memory.buffer, at, length);
    parts.reduce((offset, part) => (room.set(part, offset), offset + part.length), 0);
    const failed = exports[name]();
    const output = new Uint8Array(exports.memory.buffer, exports.output() >>> 0, exports.output_length()).slice();
    if (failed) throw new ProverError(new TextDecoder().decode(output));
    return output;
  }

  return {
    /** Takes a .r1cs. */
    loadCircuit: (r1cs) => void call("load_circuit", r1cs),
    /** Takes a .zkey of the circuit, with every check. */
    loadKey: (zkey) => void call("load_key", zkey),
    /** Takes a .zkey that passed every check with this circuit: `digest` is the SHA-256 of its bytes. */
    loadKnownKey: (zkey, digest) => void call("load_known_key", digest, zkey),
    /** The proof of a .wtns, verified before it is given. */
    prove: (wtns) => call("prove", wtns),
    /** Bytes of memory that the instance holds. */
    memory: () => exports.memory.buffer.byteLength,
  };
}
