/** Tracked flows in memory. */
import { protocolNumbers } from "../../lib/nftables/ruleset.ts";
import { isMatch, type Conntrack, type Flow } from "./conntrack.ts";
import type { Endpoint } from "./tuple.ts";

export interface FakeConntrack extends Conntrack {
  readonly flows: Flow[];
}

export function fakeConntrack(flows: Flow[] = []): FakeConntrack {
  const same = (a: Endpoint, b: Endpoint) => a.ip === b.ip && a.port === b.port;
  const list: Conntrack["list"] = (protocol) => flows.filter(({ original }) => original.protocol === protocolNumbers[protocol]);
  const remove: Conntrack["remove"] = (gone) => {
    for (const flow of gone) {
      const at = flows.indexOf(flow);
      if (at >= 0) flows.splice(at, 1);
    }
  };
  return {
    flows,
    count: () => flows.length,
    list,
    remove,
    removeMatching: (protocol, matches) => remove(list(protocol).filter((flow) => matches.some((match) => isMatch(flow, match)))),
    byReply: (protocol, from, to) => list(protocol).find(({ reply }) => same(reply.source, from) && same(reply.destination, to)),
    close: () => {},
  };
}
