/** What becomes of a packet, for people. Pure. */
import { proxyReasons, type Packet, type ProxyPlan, type Trace } from "../../decide/proxy/index.ts";
import type { Outcome } from "../../decide/proxy/render/iptables/evaluate.ts";
import type { RulesTrace } from "../../decide/proxy/render/nftables-trace.ts";
import { joinHostPort } from "../../lib/ip.ts";
import { table, type Paint } from "../terminal.ts";
import { endpointCells, words } from "./plan-text.ts";

const passes = "no rule of the proxy is for this packet: it goes where it would go without one";

export function packetText({ from, to, port, protocol }: Packet, { node }: ProxyPlan): string {
  return `${from} → ${joinHostPort(to, port)}/${protocol}${node.name === "" ? "" : ` on ${node.name}`}`;
}

export function traceText(traced: Trace, paint: Paint): string {
  switch (traced.kind) {
    case "none":
      return paint.yellow(passes);
    case "reject":
    case "drop": {
      const by = traced.servicePort === undefined ? "" : `${traced.servicePort}: `;
      return `${by}${paint.red(refusal(traced.kind))}: ${proxyReasons[traced.reason]} ${paint.dim(`[${traced.reason}]`)}`;
    }
    case "dnat": {
      const rows = traced.endpoints.map(({ endpoint, masquerade }) => [
        `  ${paint.green("✓")}`,
        ...endpointCells(endpoint),
        source(masquerade),
      ]);
      return `${traced.servicePort}, ${words[traced.address]}, ${oneOf(traced.endpoints.length)}\n${table(rows)}`;
    }
    default:
      return traced satisfies never;
  }
}

export function rulesTraceText(traced: RulesTrace, paint: Paint): string {
  switch (traced.kind) {
    case "none":
      return paint.yellow(passes);
    case "reject":
    case "drop":
      return paint.red(refusal(traced.kind));
    case "dnat": {
      const rows = traced.endpoints.map(({ ip, port, masquerade }) => [
        `  ${paint.green("✓")}`,
        joinHostPort(ip, port),
        source(masquerade),
      ]);
      return `${oneOf(traced.endpoints.length)}\n${table(rows)}`;
    }
    default:
      return traced satisfies never;
  }
}

/** Each outcome with its chance and the chains that lead to it. */
export function outcomesText(outcomes: readonly Outcome[], paint: Paint): string {
  const rows = outcomes.map((outcome) => {
    const share = `${(outcome.share * 100).toFixed(1)} %`;
    const via = paint.dim(outcome.chains.join(" → "));
    if (outcome.kind !== "accept") return [`  ${paint.red("✗")}`, share, refusal(outcome.kind), "", via];
    if (outcome.dnat === undefined) return [`  ${paint.yellow("…")}`, share, "passes unchanged", "", via];
    return [`  ${paint.green("✓")}`, share, joinHostPort(outcome.dnat.ip, outcome.dnat.port), source(outcome.masquerade), via];
  });
  return table(rows);
}

const refusal = (kind: "reject" | "drop") => (kind === "reject" ? "refused" : "dropped");
const oneOf = (count: number) => (count === 1 ? "one endpoint:" : `one of ${count} endpoints, each as often:`);
const source = (masquerade: boolean) => (masquerade ? "masqueraded: sees the node's address" : "sees the client's address");
