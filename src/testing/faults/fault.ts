/** Something that is broken on purpose, until it is ended. */
export interface Fault {
  /** Idempotent. */
  end(): void;
  [Symbol.dispose](): void;
}

export function createFault(end: () => void): Fault {
  let over = false;
  const once = () => {
    if (over) return;
    over = true;
    end();
  };
  return { end: once, [Symbol.dispose]: once };
}
