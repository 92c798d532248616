/** Pods that no longer answer. */
import type { Unreachable } from "../../cmd/interference.ts";
import { createFault, type Fault } from "./fault.ts";

export interface EndpointFault {
  /** `refused` (default): the connection is refused, as by a crashed process. `silent`: nothing comes back, as from a dead machine. */
  readonly how?: "refused" | "silent";
}

export interface EndpointFaults {
  add(addresses: readonly string[], fault: EndpointFault): Fault;
  /** For those who connect. */
  unreachable(ip: string): Unreachable | undefined;
}

export function createEndpointFaults(): EndpointFaults {
  const active = new Set<{ readonly addresses: readonly string[]; readonly code: Unreachable }>();
  return {
    add(addresses, { how = "refused" }) {
      const entry = { addresses, code: how === "silent" ? ("ETIMEDOUT" as const) : ("ECONNREFUSED" as const) };
      active.add(entry);
      return createFault(() => active.delete(entry));
    },
    unreachable: (ip) => [...active].find(({ addresses }) => addresses.includes(ip))?.code,
  };
}
