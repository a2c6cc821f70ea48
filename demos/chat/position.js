// Positions are decimal digits that outgrow a double, so they stay strings and are compared as numbers written out.

/** Orders two positions: negative when `a` is the earlier one. */
export function comparePositions(a, b) {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export const isAfter = (a, b) => comparePositions(a, b) > 0;

export const latest = (a, b) => (isAfter(a, b) ? a : b);

/** The server's clock at a position, in milliseconds since the epoch: positions count 100 ns. */
export const positionTime = (position) => Number(BigInt(position) / 10_000n);
