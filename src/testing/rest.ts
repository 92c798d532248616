/** Knows when nothing is under way in a cluster: no request to its API, and no turn of the event loop that made one. */

export interface Rest {
  /** Counts `work` as under way until it settles. */
  track<T>(work: Promise<T>): Promise<T>;
  /** Resolves after some turns of the event loop in which nothing was under way, or when that takes too long. */
  settle(): Promise<void>;
}

/** An event goes from the store through a watch cache, an informer and a work queue to the next write in fewer turns than this. */
const quietTurns = 4;
/**
 * Of the machine's time. What does not come to rest may wait for time itself: a controller that tries again at once, until a watch
 * comes back that pauses between its own tries.
 */
const mostMs = 50;
/** Given in any case: a machine with other work to do may take long for one. */
const leastTurns = 200;

export function createRest(): Rest {
  let underWay = 0;
  let begun = 0;
  return {
    async track(work) {
      underWay++;
      begun++;
      try {
        return await work;
      } finally {
        underWay--;
      }
    },
    async settle() {
      let seen = begun;
      const until = performance.now() + mostMs;
      for (let quiet = 0, turn = 0; quiet < quietTurns && (turn < leastTurns || performance.now() < until); turn++) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        quiet = underWay === 0 && begun === seen ? quiet + 1 : 0;
        seen = begun;
      }
    },
  };
}
