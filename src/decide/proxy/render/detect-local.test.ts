/** Pods told by their interface (`--detect-local-mode BridgeInterface` and `InterfaceNamePrefix`): plan, nftables and iptables agree. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { rulesetText } from "../../../lib/nftables/text.ts";
import { planServices, trace, type PlanNode } from "../index.ts";
import { clients, node, serviceCIDRs, serviceState } from "./arbitrary.cases.ts";
import { renderIptables } from "./iptables/render.ts";
import { restoreText } from "./iptables/text.ts";
import { traceIptables } from "./iptables/trace.ts";
import { renderNftables, traceNftables } from "./nftables-trace.ts";

const textOf = (traced: ReturnType<typeof traceNftables>) =>
  traced.kind === "dnat" ? traced.endpoints.map(({ ip, port, masquerade }) => `${ip} ${port} ${masquerade}`).sort() : traced.kind;

test.each([
  [{ name: "cni0", prefix: false }, "cni0", "-i cni0", '"cni0"'],
  [{ name: "veth", prefix: true }, "veth12", "-i veth+", '"veth*"'],
])("%j", (podInterface, by, words, nft) => {
  const { clusterCIDRs: _, ...rest } = node;
  const here: PlanNode = { ...rest, podInterface };
  let told = 0;
  fc.assert(
    fc.property(serviceState(1), ({ service, slices }) => {
      const plan = planServices([service], slices, here);
      const nftables = renderNftables(plan.services, { node: here, serviceCIDRs });
      const iptables = {
        4: renderIptables(plan.services, { node: here, family: 4 }),
        6: renderIptables(plan.services, { node: here, family: 6 }),
      };
      if (restoreText(iptables[4]).includes(words)) told += 1;
      const [planned] = plan.services;
      for (const { protocol, addresses } of planned?.kind === "service" ? planned.ports : []) {
        for (const { address, port, family } of addresses) {
          for (const from of clients.filter((one) => one.includes(":") === (family === 6))) {
            // What the node sends comes by no interface.
            const ways = here.addresses.includes(from) ? [undefined] : [undefined, by, "eth0"];
            for (const way of ways) {
              const packet = { from, to: address, port, protocol, ...(way === undefined ? {} : { interface: way }) };
              const wanted = trace(plan, packet, { serviceCIDRs });
              const text =
                wanted.kind === "dnat"
                  ? wanted.endpoints
                      .map(
                        ({ endpoint, masquerade }) =>
                          `${endpoint.ip} ${endpoint.port} ${masquerade && !(endpoint.ip === from && !endpoint.local)}`,
                      )
                      .sort()
                  : wanted.kind;
              // A pod of another node never reaches itself by this one: there the rules and the plan may differ in who is masqueraded.
              if (Array.isArray(text) && text.some((one) => one.startsWith(`${from} `))) continue;
              expect([packet, textOf(traceNftables(nftables, here, packet))]).toEqual([packet, text]);
              // iptables mode lets the node's own packets to an external address without endpoints pass, as kube-proxy.
              if (wanted.kind === "dnat") expect([packet, textOf(traceIptables(iptables[family], here, packet))]).toEqual([packet, text]);
            }
          }
        }
      }
    }),
    { numRuns: 60 },
  );
  expect(told).toBeGreaterThan(0);
  const [state] = fc.sample(serviceState(1), { numRuns: 1, seed: 1 });
  const plan = planServices([state?.service as never], state?.slices ?? [], here);
  expect(
    JSON.stringify([...renderNftables(plan.services, { node: here, serviceCIDRs }).tables()].map(({ chains }) => [...chains.values()])),
  ).toContain(JSON.stringify({ kind: "fromInterface", ...podInterface }));
  expect(rulesetText(renderNftables(plan.services, { node: here, serviceCIDRs }))).toContain(`iifname ${nft}`);
});
