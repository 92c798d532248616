/** The proxy's modes. A new backend adds its folder and one line here. */
import type { Backend } from "./backend.ts";
import { UserspaceBackend, type UserspaceOptions } from "./userspace/apply.ts";

export type BackendOptions = UserspaceOptions;

const backends = {
  userspace: (options: BackendOptions): Backend => new UserspaceBackend(options),
} as const;

export type BackendMode = keyof typeof backends;

export function createBackend(mode: BackendMode, options: BackendOptions): Backend {
  return backends[mode](options);
}
