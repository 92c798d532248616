/** Looks until it is right, or the time is over; gives what was seen last, for the caller to judge. */
export async function eventually<T>(look: () => Promise<T>, right: (value: T) => boolean, limitMs = 30_000): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await look();
    if (right(value) || performance.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
