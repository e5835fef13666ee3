// The prover as a WebAssembly module, in node or a browser: the other half of prover/native/wasm.
//
//   const prover = await createProver(await WebAssembly.compile(bytes));
//   prover.loadCircuit(r1cs); prover.loadKey(zkey);            // Uint8Array each; or await loadKnownKey(zkey, digest)
//   const proof = prover.prove(wtns);                          // 256 bytes, as the EVM's precompile takes them
//
// A thrown ProverError carries the core's message. Nothing here checks a witness or a proof: the module does both. The
// one thing checked here is the digest of a known key, by the host's SHA-256, which is many times the module's.

export class ProverError extends Error {}

const RANDOM_LIMIT = 65_536; // bytes that one call of getRandomValues gives

const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

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
    async loadKnownKey(zkey, digest) {
      const bytes = zkey.slice(); // what is hashed is what is loaded, whatever the caller does meanwhile
      const found = new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes));
      if (toHex(found) !== toHex(digest)) {
        const told = `SHA-256 ${toHex(found)}, not ${toHex(digest)}`;
        throw new ProverError(`the key's bytes are not those that were checked: ${told}`);
      }
      call("load_trusted_key", bytes);
    },
    /** The proof of a .wtns, verified before it is given. */
    prove: (wtns) => call("prove", wtns),
    /** Bytes of memory that the instance holds. */
    memory: () => exports.memory.buffer.byteLength,
  };
}
