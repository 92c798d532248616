/** Tracked flows in memory. */
import { protocolNumbers } from "../../lib/nftables/ruleset.ts";
import type { Conntrack, Flow } from "./conntrack.ts";
import type { Endpoint } from "./tuple.ts";

export interface FakeConntrack extends Conntrack {
  readonly flows: Flow[];
}

export function fakeConntrack(flows: Flow[] = []): FakeConntrack {
  const same = (a: Endpoint, b: Endpoint) => a.ip === b.ip && a.port === b.port;
  return {
    flows,
    list: (protocol) => flows.filter(({ original }) => original.protocol === protocolNumbers[protocol]),
    remove(gone) {
      for (const flow of gone) {
        const at = flows.indexOf(flow);
        if (at >= 0) flows.splice(at, 1);
      }
    },
    byReply: (protocol, from, to) =>
      flows.find(({ reply }) => reply.protocol === protocolNumbers[protocol] && same(reply.source, from) && same(reply.destination, to)),
    close: () => {},
  };
}
