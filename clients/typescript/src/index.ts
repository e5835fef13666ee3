/** A zkmargin venue from TypeScript. What proves stays in Python: this client carries its proofs to the chain. */
export * from "./errors.js";
export * from "./deployment.js";
export * from "./messages.js";
export * from "./requests.js";
export * from "./venue.js";
export { actionRules, domain, types, verifyingContract } from "./generated/messages.js";
export * from "./generated/abis.js";
