/**
 * What the parts of a Fairlead cluster count themselves, read where everybody may read it: `/metrics` and the pages of the API server.
 */
import type { Client } from "../client/client.ts";
import type { TopReport } from "../decide/dns/top/query-tally.ts";
import type { ConnectionCount, Counters, DnsCounters, RequestCount } from "./wire.ts";

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export async function readCounters(client: Client, now: number): Promise<Counters> {
  const [metrics, top, proxy] = await Promise.all([
    page<string>(client, "/metrics"),
    page<TopReport>(client, "/debug/dns/top"),
    page<{ readonly counted: "all" | "incoming"; readonly connections: readonly ConnectionCount[] }>(client, "/debug/proxy/traffic"),
  ]);
  const samples = typeof metrics === "string" ? parseSamples(metrics, wanted) : [];
  return {
    at: now,
    ...(proxy === undefined ? {} : { proxy: proxy.connections, counted: proxy.counted }),
    gateway: gatewayCounts(samples),
    ...(top === undefined ? {} : { dns: dnsCounts(samples, top) }),
  };
}

async function page<T>(client: Client, path: string): Promise<T | undefined> {
  try {
    return (await client.raw(path)) as T;
  } catch {
    // That part does not run here, or counts nothing.
    return undefined;
  }
}

const wanted = [
  "fairlead_gateway_requests_total",
  "coredns_cache_hits_total",
  "coredns_cache_misses_total",
  "coredns_cache_entries",
  "coredns_dns_responses_total",
] as const;

function gatewayCounts(samples: readonly Sample[]): readonly RequestCount[] {
  return samples
    .filter(({ name }) => name === "fairlead_gateway_requests_total")
    .map(({ labels, value }) => ({ ingress: labels["ingress"] ?? "", code: labels["code"] ?? "", requests: value }));
}

function dnsCounts(samples: readonly Sample[], top: TopReport): DnsCounters {
  const sum = (wantedName: string) => samples.filter(({ name }) => name === wantedName).reduce((total, { value }) => total + value, 0);
  const rcodes: Record<string, number> = {};
  for (const { name, labels, value } of samples) {
    if (name === "coredns_dns_responses_total") rcodes[labels["rcode"] ?? ""] = (rcodes[labels["rcode"] ?? ""] ?? 0) + value;
  }
  return {
    top,
    hits: sum("coredns_cache_hits_total"),
    misses: sum("coredns_cache_misses_total"),
    entries: sum("coredns_cache_entries"),
    rcodes,
  };
}

/** The series with these names, of Prometheus' text format 0.0.4. Lines that are none are passed over. */
export function parseSamples(text: string, names: readonly string[]): readonly Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const end = line.search(/[{ ]/);
    const name = line.slice(0, end);
    if (!names.includes(name)) continue;
    const [, labelText = "", number = ""] = /^[^{ ]+(?:\{((?:[^"}]|"(?:\\.|[^"\\])*")*)\})? (\S+)/.exec(line) ?? [];
    const value = Number(number);
    if (number !== "" && Number.isFinite(value)) samples.push({ name, labels: labelsOf(labelText), value });
  }
  return samples;
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const [, name = "", quoted = ""] of text.matchAll(/([A-Za-z_]\w*)="((?:\\.|[^"\\])*)"/g))
    labels[name] = quoted.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  return labels;
}
