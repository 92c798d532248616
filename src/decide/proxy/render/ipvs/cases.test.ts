/** The tables that kube-proxy's ipvs mode makes, where the acceptance cases are there (a clone has none: the test then skips itself). */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../../api/types.ts";
import { joinHostPort, parseIp } from "../../../../lib/ip.ts";
import { selectNodePortAddresses } from "../../node.ts";
import { planServices } from "../../services.ts";
import type { Rule } from "../iptables/rules.ts";
import { chainsOf } from "../iptables/rules.ts";
import { contributionOptions, renderIpvs } from "./render.ts";
import { IpvsModel } from "./model.ts";
import type { SetName } from "./sets.ts";
import { serverKey, type VirtualServer } from "./state.ts";

const file = join(import.meta.dirname, "../../../../../../shared/cases/kubeproxy-cases.json");
const present = existsSync(file);
if (!present) console.log("decide/proxy/render/ipvs: the acceptance cases (shared/cases/kubeproxy-cases.json) are not here: skipped");

interface CaseServer {
  readonly address: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly scheduler?: string;
  readonly realServers: readonly { readonly address: string; readonly port: number; readonly weight?: number }[];
}
interface Case {
  readonly name: string;
  readonly ipFamily: "IPv4" | "IPv6";
  readonly nodeName?: string;
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly nodeIPs?: readonly string[];
  readonly nodePortAddresses?: readonly string[];
  readonly setup?: string;
  readonly virtualServers?: readonly CaseServer[];
  readonly virtualServerCount?: number;
  readonly ipsets?: Readonly<
    Record<SetName, readonly { readonly ip?: string; readonly port: number; readonly protocol: string; readonly net?: string }[]>
  >;
  readonly iptablesChains?: Readonly<Record<string, readonly (readonly [target: string, match: string])[]>>;
}

const cases = present ? (JSON.parse(readFileSync(file, "utf8")) as { readonly ipvs: readonly Case[] }).ipvs : [];

function planOf(one: Case) {
  const family = one.ipFamily === "IPv6" ? 6 : 4;
  const addresses = one.nodeIPs ?? [];
  const nodePortAddresses = selectNodePortAddresses({ cidrs: one.nodePortAddresses ?? [], addresses, primary: [], whenEmpty: "all" });
  const node = {
    name: one.nodeName ?? "",
    addresses,
    nodePortAddresses: nodePortAddresses.filter((text) => parseIp(text)?.family === family),
    clusterCIDRs: ["10.0.0.0/8"],
  };
  return { node, family, services: planServices(one.services, one.endpointSlices, node).services } as const;
}

const serverText = ({ address, port, protocol, realServers }: CaseServer) =>
  `${serverKey({ address, port, protocol })}: ${realServers
    .map((real) => joinHostPort(real.address, real.port))
    .sort()
    .join()}`;
const ownText = (server: VirtualServer) =>
  serverText({ ...server, realServers: server.realServers.map(({ ip, port }) => ({ address: ip, port })) });

/** As the cases write a rule: where it leads, and what it asks for. */
function ruleText({ matches, target }: Rule): readonly [string, string] {
  const to = target === undefined ? "" : target.kind === "jump" ? target.chain : target.kind.toUpperCase();
  const set = matches.find(({ kind }) => kind === "set");
  const source = matches.find(({ kind }) => kind === "source");
  return [to, set?.kind === "set" ? set.name : source?.kind === "source" ? `-s ${source.cidr}` : ""];
}

describe.runIf(present)("kube-proxy's ipvs tables", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    const { node, family, services } = planOf(one);
    const state = renderIpvs(services, { node, family });
    const servers = state.virtualServers.map(ownText);
    if (one.virtualServerCount !== undefined) expect(servers).toHaveLength(one.virtualServerCount);
    for (const server of one.virtualServers ?? []) {
      expect(servers).toContain(serverText(server));
      expect(state.virtualServers.every(({ scheduler }) => scheduler === (server.scheduler ?? "rr"))).toBe(true);
    }
    for (const [set, entries] of Object.entries(one.ipsets ?? {})) {
      const wanted = entries.map(({ ip, port, protocol, net }) =>
        ip === undefined ? String(port) : [ip, `${protocol}:${port}`, ...(net === undefined ? [] : [net])].join(),
      );
      expect({ set, entries: state.sets.get(set as SetName) }).toEqual({ set, entries: wanted });
    }
    for (const [chain, rules] of Object.entries(one.iptablesChains ?? {})) {
      const table = ["KUBE-SERVICES", "KUBE-LOAD-BALANCER"].includes(chain) ? ["nat"] : ["nat", "filter"];
      const got = table.flatMap((name) =>
        chainsOf(state.rules.tables[name as "nat" | "filter"])
          .filter((each) => each.name === chain)
          .flatMap((each) => each.rules.map(ruleText)),
      );
      expect({ chain, rules: got }).toEqual({ chain, rules: rules.map((rule) => [...rule]) });
    }
  });

  test("real servers of weight 0 that an earlier proxy has left get their weight back", () => {
    const one = cases.find(({ setup }) => setup !== undefined) as Case;
    const { node, family, services } = planOf(one);
    const model = new IpvsModel(contributionOptions({ node, family }));
    for (const plan of services) model.change(`${plan.namespace}/${plan.name}`, plan);
    const drained = model.servers.map((server) => ({ ...server, realServers: server.realServers.map((real) => ({ ...real, weight: 0 })) }));
    const operations = model.adopt({ virtualServers: drained, addresses: model.addresses, sets: model.sets });
    expect(operations.map((operation) => (operation.kind === "setReal" ? operation.real.weight : operation.kind))).toEqual([1]);
  });
});
