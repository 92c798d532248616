/**
 * Starts a program the way that `node:child_process` does not: by posix_spawn(3), whose child borrows our memory until it runs
 * the program (vfork). libuv forks, which copies the page tables of the whole process: 3 ms at 50 MB, 20 ms at 150 MB, during
 * which every thread that touches a new page waits.
 *
 * The child belongs to the calling thread's namespaces. Whoever starts it so must see to its end, too: `children.ts`.
 */
import { SPAWN_BYTES } from "./constants.ts";
import type { Libc } from "./libc.ts";
import { SystemError } from "./system-error.ts";

export interface PosixSpawnOptions {
  /** A path; no search. */
  readonly program: string;
  /** Without the program's own name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** What become descriptors 0, 1 and 2. */
  readonly stdio: readonly [number, number, number];
  /** It leads a session and a process group of its own. */
  readonly session: boolean;
}

/** The process id. Throws the system's error when the program cannot be run (ENOENT, EACCES; of the directory, too). */
export function posixSpawn(libc: Libc, options: PosixSpawnOptions): number {
  const { program, args, env, directory, stdio, session } = options;
  const actions = new Uint8Array(SPAWN_BYTES);
  const attributes = new Uint8Array(SPAWN_BYTES);
  const pid = new Uint8Array(4);
  const argv = pointerList(libc, [program, ...args]);
  const envp = pointerList(
    libc,
    Object.entries(env).map(([name, value]) => `${name}=${value}`),
  );
  const { fds, close } = outOfTheWay(libc, stdio);
  libc.spawnActions.init(actions);
  try {
    for (const [to, fd] of fds.entries()) libc.spawnActions.dup2(actions, fd, to);
    libc.spawnActions.chdir(actions, directory);
    libc.spawnAttributes(attributes, session);
    const errno = libc.posixSpawn(pid, program, actions, attributes, argv, envp);
    if (errno !== 0) throw new SystemError("spawn", errno, program);
    return new DataView(pid.buffer).getInt32(0, true);
  } finally {
    libc.spawnActions.destroy(actions);
    close();
  }
}

/** 1 as descriptor 0 and 0 as descriptor 1 must not meet on the way: what would be overwritten is taken from a copy. */
function outOfTheWay(libc: Libc, stdio: readonly [number, number, number]): { readonly fds: readonly number[]; close(): void } {
  const copies: number[] = [];
  const fds = stdio.map((fd, to) => {
    if (fd > 2 || fd === to) return fd;
    const copy = libc.duplicate(fd);
    copies.push(copy);
    return copy;
  });
  return { fds, close: () => copies.forEach((fd) => libc.close(fd)) };
}

/** A `char *[]` that ends with NULL, and behind it the strings to which it points, all in the one array that is returned. */
export function pointerList(libc: Pick<Libc, "address">, strings: readonly string[]): Uint8Array {
  if (strings.some((string) => string.includes("\0"))) throw new TypeError("text with a NUL byte");
  const head = 8 * (strings.length + 1);
  const encoded = strings.map((string) => Buffer.from(`${string}\0`));
  const list = new Uint8Array(encoded.reduce((sum, { byteLength }) => sum + byteLength, head));
  const view = new DataView(list.buffer);
  const base = libc.address(list);
  let offset = head;
  for (const [i, bytes] of encoded.entries()) {
    view.setBigUint64(8 * i, base + BigInt(offset), true);
    list.set(bytes, offset);
    offset += bytes.byteLength;
  }
  return list;
}
