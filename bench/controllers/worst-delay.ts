/** Whether anything holds the thread: how late a timer of 1 ms came at worst. */

/** Begins to look; the function that it gives ends that and tells milliseconds. */
export function worstTimerDelay(): () => number {
  let [worst, last] = [0, performance.now()];
  const ticking = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - 1);
    last = now;
  }, 1);
  return () => {
    clearInterval(ticking);
    return worst;
  };
}
