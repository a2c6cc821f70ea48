/**
 * Where a message stands in its org's order: decimal digits. Compared as numbers and kept as text, because they are larger than
 * what a number holds exactly.
 */
export type Position = string;

export function isAfter(position: Position, other: Position): boolean {
  if (position.length !== other.length) return position.length > other.length;
  return position > other;
}

/** The position right before this one. */
export function before(position: Position): Position {
  const value = BigInt(position);
  return value === 0n ? '0' : String(value - 1n);
}

export function isPosition(value: unknown): value is Position {
  return typeof value === 'string' && /^(0|[1-9][0-9]{0,18})$/.test(value);
}
