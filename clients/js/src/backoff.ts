const FIRST = 250;
const LONGEST = 30_000;

/**
 * Milliseconds to wait before another attempt, after so many that failed: anywhere between none and a bound
 * that doubles from 250 ms to 30 s, so that clients that lost the same server do not come back together.
 */
export function backoff(failed: number, random: () => number): number {
  return random() * Math.min(LONGEST, FIRST * 2 ** failed);
}
