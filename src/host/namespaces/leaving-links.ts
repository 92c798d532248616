/** Links whose namespace is on its way out: they end with it, in the background. What is left of them after a while is named. */

export interface LeavingLinks {
  add(link: number): void;
  /** Nobody is interested any more. */
  close(): void;
}

/** A namespace without processes is gone by then, and its links with it. */
const graceMs = 2000;
/** As many messages as fit into an ordinary user's netlink buffer, with their answers. */
const atOnce = 500;

/** `take`: at most 500 links at a time, of which most are gone already. */
export function collectLeavingLinks(take: (links: readonly number[]) => void): LeavingLinks {
  const links: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    timer = undefined;
    take(links.splice(0, atOnce));
    if (links.length > 0) timer = setTimeout(next, 0);
  };
  return {
    add(link) {
      links.push(link);
      timer ??= setTimeout(next, graceMs).unref();
    },
    close: () => clearTimeout(timer),
  };
}
