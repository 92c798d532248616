/**
 * What a test may put between the parts of a cluster, so that they fail on demand. A program that is run for its own sake has
 * none of it: `fairlead/testing` is the one that does.
 */
import type { ApiHandler } from "../api/request.ts";
import type { Handler } from "../dns/plugin.ts";

/** What becomes of a connection to a pod: the system's error codes. */
export type Unreachable = "ECONNREFUSED" | "ETIMEDOUT";

export interface Interference {
  /** Around the API server: every request passes it, whichever way it came. */
  readonly api: (handler: ApiHandler) => ApiHandler;
  /** Around each handler of the DNS server. */
  readonly dns: (handler: Handler) => Handler;
  /** Asked before each connection to an endpoint; undefined: it goes ahead. */
  readonly unreachable: (ip: string) => Unreachable | undefined;
}
