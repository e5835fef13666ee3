/** A value that no contract would take: which one, and what is allowed. */
export class ValueInvalid extends Error {
  override readonly name = "ValueInvalid";

  constructor(
    readonly field: string,
    readonly value: unknown,
    readonly allowed: string,
  ) {
    super(`${field} is ${show(value)}; allowed: ${allowed}`);
  }
}

function show(value: unknown): string {
  return typeof value === "string"
    ? JSON.stringify(value)
    : typeof value === "object" && value !== null
      ? "an object"
      : String(value);
}
