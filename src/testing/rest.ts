/** Knows when nothing is under way in a cluster: no request to its API, and no turn of the event loop that made one. */

export interface Rest {
  /** Counts `work` as under way until it settles. */
  track<T>(work: Promise<T>): Promise<T>;
  /** Resolves after some turns of the event loop in which nothing was under way. */
  settle(): Promise<void>;
}

/** An event goes from the store through a watch cache, an informer and a work queue to the next write in fewer turns than this. */
const quietTurns = 4;
/** Something in the cluster waits for what only the test can do. */
const mostTurns = 5000;

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
      for (let quiet = 0, turn = 0; quiet < quietTurns && turn < mostTurns; turn++) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        quiet = underWay === 0 && begun === seen ? quiet + 1 : 0;
        seen = begun;
      }
    },
  };
}
