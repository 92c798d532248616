import { isWithin, matchZone } from "../../../decide/dns/name.ts";
import { rcodes } from "../../../decide/dns/records.ts";
import { cidrContains, parseIp, type Cidr, type Ip } from "../../../lib/ip.ts";
import type { MetricsRegistry } from "../../../lib/metrics.ts";
import { failure, reply, type DnsRequest, type Handler, type Outcome } from "../../plugin.ts";
import { extendedErrors, withReason } from "../../wire/extended-error.ts";
import { createReply } from "../../wire/message.ts";

export type AclAction = "allow" | "block" | "filter" | "drop";

export interface AclPolicy {
  readonly action: AclAction;
  /** Codes; empty: all. */
  readonly types: ReadonlySet<number>;
  /** Sources; empty: all. */
  readonly nets: readonly Cidr[];
}

/** One directive: policies in order, for names below its zones. */
export interface AclRule {
  readonly zones: readonly string[];
  readonly policies: readonly AclPolicy[];
}

export function aclHandler(rules: readonly AclRule[], metrics: MetricsRegistry): Handler {
  const labels = ["server", "zone", "view"];
  const counters = {
    block: metrics.counter("coredns_acl_blocked_requests_total", "Counter of DNS requests being blocked.", labels),
    filter: metrics.counter("coredns_acl_filtered_requests_total", "Counter of DNS requests being filtered.", labels),
    drop: metrics.counter("coredns_acl_dropped_requests_total", "Counter of DNS requests being dropped.", labels),
    allow: metrics.counter("coredns_acl_allowed_requests_total", "Counter of DNS requests being allowed.", labels),
  };
  return {
    name: "acl",
    serveDNS(request, next) {
      const { action, zone } = verdict(rules, request);
      counters[action].labels(request.server, zone, request.view).inc();
      return action === "allow" ? next(request) : outcomeOf(action, request);
    },
  };
}

/** The first policy that is met; nothing met: allowed. */
function verdict(rules: readonly AclRule[], { name, question, client }: DnsRequest): { readonly action: AclAction; readonly zone: string } {
  const source = parseIp(client.address.replace(/^::ffff:(?=\d+\.)/i, ""));
  for (const { zones, policies } of rules) {
    if (!zones.some((zone) => isWithin(zone, name))) continue;
    const met = policies.find((policy) => meets(policy, question.type, source));
    if (met !== undefined) return { action: met.action, zone: matchZone(zones, name) ?? "" };
  }
  return { action: "allow", zone: "" };
}

function meets({ types, nets }: AclPolicy, type: number, source: Ip | undefined): boolean {
  if (types.size > 0 && !types.has(type)) return false;
  return nets.length === 0 || (source !== undefined && nets.some((net) => cidrContains(net, source)));
}

function outcomeOf(action: Exclude<AclAction, "allow">, { message }: DnsRequest): Outcome {
  switch (action) {
    case "block":
      return failure(rcodes.REFUSED, undefined, { code: extendedErrors.BLOCKED });
    case "filter":
      return reply("acl", withReason(createReply(message, {}), { code: extendedErrors.FILTERED }));
    case "drop":
      return { kind: "drop" };
  }
}
