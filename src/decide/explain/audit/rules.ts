/**
 * What an audit may find. The codes of `explain` (codes.ts) are rules of their own, for Services that nothing reaches and routes that lead
 * nowhere; here are the others. Stable: docs/explain.md lists them (a test holds the two together), SARIF names them.
 */

export type Level = "error" | "warning" | "note";

interface RuleInfo {
  readonly level: Level;
  readonly meaning: string;
}

const warning = (meaning: string): RuleInfo => ({ level: "warning", meaning });
const note = (meaning: string): RuleInfo => ({ level: "note", meaning });

export const auditRules = {
  NodePortTwice: { level: "error", meaning: "two Services have the same node port and protocol" },
  AddressTwice: { level: "error", meaning: "two Services have the same address, port and protocol" },
  PathTwice: { level: "error", meaning: "two rules have the same host and path: the older one has it" },
  SomeEndpointsDead: warning("some of the Service's endpoints most likely do not listen at its port"),
  AffinityLost: warning(
    "session affinity by client address, where clients come with the nodes' addresses or are not balanced by the proxy",
  ),
  AffinityPerPort: note("session affinity holds for each port by itself: a client's two ports may lead to two pods"),
  HintsWithheld: note(
    "hints are asked for (trafficDistribution, topology-mode), and not every ready endpoint has one: traffic goes everywhere",
  ),
  ZoneWithoutEndpoints: note("trafficDistribution is set, and a zone has no endpoint of its own: its traffic goes everywhere"),
  NdotsWaste: note("names outside the cluster with few dots are tried in each search domain first"),
  ModeMigration: note("the Service loses something when the proxy's mode becomes nftables"),
  PolicySelectsNothing: warning("the NetworkPolicy selects no pod"),
} as const satisfies Readonly<Record<string, RuleInfo>>;

export type AuditRule = keyof typeof auditRules;
