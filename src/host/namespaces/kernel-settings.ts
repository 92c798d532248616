/** Writes the settings (sysctl) of the network namespace where the thread is. */
import { writeFileSync } from "node:fs";
import type { Libc } from "../syscalls/libc.ts";

export interface KernelSettings {
  /** `name`: `net/…` as below /proc/sys. Throws a TypeError for another name, the system's error for what the kernel refuses. */
  write(name: string, value: string): void;
}

/** Only `net/…` is a namespace's own; `/proc/sys` has more, which is the machine's. */
const settingName = /^net(\/[a-z0-9_:@-][a-z0-9_.:@-]*)+$/i;

/**
 * The kernel keeps a directory entry for each name that was looked up, in each namespace, and all namespaces' entries of one
 * name hang in one chain: at 1,500 pods a write takes a millisecond, thirty times what the first one took. So writes go
 * through a `/proc` of their own, which is replaced after so many.
 */
const writesPerInstance = 256;

export function createKernelSettings(libc: Libc): KernelSettings {
  let instance: number | undefined;
  let writes = writesPerInstance;
  const root = () => {
    if (writes++ < writesPerInstance) return instance === undefined ? "/proc" : `/proc/self/fd/${instance}`;
    if (instance !== undefined) libc.close(instance);
    instance = tryDetachedProc(libc);
    writes = 1;
    return instance === undefined ? "/proc" : `/proc/self/fd/${instance}`;
  };
  return {
    write(name, value) {
      if (!settingName.test(name)) throw new TypeError(`no kernel setting of a network: ${name}`);
      writeFileSync(`${root()}/sys/${name}`, value, { flag: "r+" });
    },
  };
}

/** Undefined before Linux 5.2, and where another `/proc` is not allowed. */
function tryDetachedProc(libc: Libc): number | undefined {
  try {
    return libc.detachedMount("proc");
  } catch {
    return undefined;
  }
}
