/** Which of some names a person may have meant. */

/** At most `limit`, the nearest first; those that have nothing in common with it are left out. */
export function nearest(name: string, candidates: Iterable<string>, limit = 3): readonly string[] {
  return [...new Set(candidates)]
    .filter((candidate) => candidate !== name)
    .map((candidate) => ({ candidate, distance: distanceOf(name, candidate) }))
    .filter(({ candidate, distance }) => distance <= tolerated(name) || contains(name, candidate))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

export function isNear(a: string, b: string): boolean {
  return contains(a, b) || distanceOf(a, b) <= tolerated(a);
}

const tolerated = (name: string): number => Math.max(1, Math.min(3, Math.floor(name.length / 3)));

/** `web` and `webapp`, `web` and `web-v2`; two letters say nothing. */
function contains(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  return short.length >= 3 && long.toLowerCase().includes(short.toLowerCase());
}

/** Letters to insert, leave out, change or exchange with their neighbour (optimal string alignment), case aside. */
export function distanceOf(left: string, right: string): number {
  const [a, b] = [left.toLowerCase(), right.toLowerCase()];
  // Names of the API have 253 letters at most, but URLs may hold anything.
  if (Math.abs(a.length - b.length) > 3 || a.length > 253) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] as number) + 1);
      row.push(best);
    }
    [before, above] = [above, row];
  }
  return above[b.length] as number;
}
