// Wall time finer than a millisecond. `timeOrigin` stands still while a machine sleeps or its clock is set, so it is
// anchored anew when it has drifted from the wall clock.

const DRIFT_MAX_MS = 20;
let origin = performance.timeOrigin;

/** Milliseconds since the epoch, with decimals. */
export function wallClock() {
  const now = origin + performance.now();
  const drift = Date.now() - now;
  if (Math.abs(drift) <= DRIFT_MAX_MS) return now;
  origin += drift;
  return now + drift;
}
