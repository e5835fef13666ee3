#!/usr/bin/env node
// The Solidity compiler from npm behind the two calls py-solc-x makes of a native one: `--version`, and standard JSON
// in on stdin, standard JSON out on stdout. Imports that the input does not carry are read from node_modules, and only
// from there.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const solc = require("solc");

const PACKAGES = path.resolve(__dirname, "..", "node_modules");

function readImport(name) {
  const file = path.resolve(PACKAGES, name);
  if (!file.startsWith(PACKAGES + path.sep)) return { error: `import leaves node_modules: ${name}` };
  try {
    return { contents: fs.readFileSync(file, "utf8") };
  } catch (reason) {
    return { error: `import not found: ${name} (${reason.code})` };
  }
}

if (process.argv.includes("--version")) {
  const version = solc.version().replace(".Emscripten.clang", ".Linux.g++");
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else {
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), { import: readImport }));
}
