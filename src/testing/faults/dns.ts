/** The cluster's DNS server gives no good answers. */
import { foldName, absolute } from "../../decide/dns/name.ts";
import { rcodes } from "../../decide/dns/records.ts";
import type { DnsRequest, Handler, Outcome } from "../../dns/plugin.ts";
import { createFault, type Fault } from "./fault.ts";

export interface DnsFault {
  /** This name and those below it; default every name. */
  readonly name?: string;
  /** What the client gets; `drop`: nothing at all. Default SERVFAIL. */
  readonly answer?: "SERVFAIL" | "NXDOMAIN" | "REFUSED" | "drop";
}

export interface DnsFaults {
  add(fault: DnsFault): Fault;
  /** For the server: around each of its handlers. */
  around(handler: Handler): Handler;
}

export function createDnsFaults(): DnsFaults {
  const active = new Set<DnsFault>();
  const outcome = ({ name }: DnsRequest): Outcome | undefined => {
    const fault = [...active].find((one) => one.name === undefined || isWithin(name, foldName(absolute(one.name))));
    if (fault === undefined) return undefined;
    const { answer = "SERVFAIL" } = fault;
    return answer === "drop" ? { kind: "drop" } : { kind: "none", rcode: rcodes[answer] };
  };
  return {
    add(fault) {
      active.add(fault);
      return createFault(() => active.delete(fault));
    },
    // Without `repeatable`: an answer that the server sends again by itself would pass the fault by.
    around: (handler) => ({
      name: handler.name,
      serveDNS: (request, next) => outcome(request) ?? handler.serveDNS(request, next),
    }),
  };
}

function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(zone === "." ? "." : `.${zone}`);
}
