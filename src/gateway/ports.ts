/** Where the gateway listens: the ports that the protocols have, or stand-ins where the kernel does not let us have those. */
import { FairleadError } from "../lib/errors.ts";
import type { Engine, EngineListener } from "./engine/engine.ts";

export interface ListenPlan {
  readonly name: string;
  readonly protocol: "HTTP" | "HTTPS";
  readonly host: string;
  /** Tried in turn; 0: any. */
  readonly ports: readonly number[];
  /** Of a plain listener: the one over TLS that has the same port. */
  readonly secure?: string;
  /** Ranges of load balancers whose connections begin with a PROXY header. */
  readonly proxyProtocol?: readonly string[];
}

export interface GatewayAddress {
  readonly name: string;
  readonly protocol: "HTTP" | "HTTPS";
  readonly host: string;
  readonly port: number;
  /** Why it is not the first port that was wanted. */
  readonly standInFor?: { readonly port: number; readonly why: string };
}

/** The host's own loopback: nobody else reaches it. */
export const defaultListenPlans: readonly ListenPlan[] = [
  { name: "http", protocol: "HTTP", host: "127.0.0.1", ports: [80, 8080, 0] },
  { name: "https", protocol: "HTTPS", host: "127.0.0.1", ports: [443, 8443, 0] },
];

/** Throws FL_LISTEN when none of the ports can be had. */
export async function openListener(engine: Engine, { name, protocol, host, ports, ...more }: ListenPlan): Promise<GatewayAddress> {
  let first: GatewayAddress["standInFor"];
  for (const port of ports) {
    const result = await engine.listen({ name, protocol, host, port, ...more });
    if (result.kind === "ok") return address(name, protocol, result, first);
    first ??= { port, why: reasonOf(result.code) };
  }
  throw new FairleadError(
    "FL_LISTEN",
    `the gateway's ${protocol} listener: no port of ${ports.join(", ")} on ${host} can be bound (${first?.why})`,
    {
      hint: "Name a free port.",
    },
  );
}

function address(
  name: string,
  protocol: "HTTP" | "HTTPS",
  { host, port }: EngineListener,
  standInFor: GatewayAddress["standInFor"],
): GatewayAddress {
  return { name, protocol, host, port, ...(standInFor === undefined ? {} : { standInFor }) };
}

function reasonOf(code: string): string {
  switch (code) {
    case "EACCES":
      return "ports below 1024 need a right that this user does not have";
    case "EADDRINUSE":
      return "another program has it";
    case "EADDRNOTAVAIL":
      return "the machine does not have this address";
    default:
      return code;
  }
}
