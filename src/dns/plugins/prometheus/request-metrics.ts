/** CoreDNS's metrics of requests (plugin/metrics/vars): counts, sizes, durations and codes. */
import { rcodeName, typeName } from "../../../decide/dns/records.ts";
import type { MetricsRegistry } from "../../../lib/metrics.ts";
import { rcodeOf, type DnsRequest, type Outcome, type CountAgain, type Reply } from "../../plugin.ts";
import { encode } from "../../wire/encode.ts";

const sizes = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];
const seconds = [0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192];
/** Types that have a label of their own; the rest is `other`, so that nobody can make labels without end. */
const known = new Set("AAAA A CNAME DNSKEY DS MX NSEC3 NSEC NS PTR RRSIG SOA SRV TXT HTTPS SVCB IXFR AXFR ANY".split(" "));

export interface RequestMetrics {
  /** `zone`: of the server block; `dropped` when no block took the request. `tookMs`: milliseconds. */
  count(request: DnsRequest, zone: string, outcome: Outcome, tookMs: number): void;
  /** Counts the same again each time it is called, at the cost of the numbers alone. The time is what a copy takes: none. */
  repeated(request: DnsRequest, zone: string, outcome: Reply): CountAgain;
}

export function requestMetrics(metrics: MetricsRegistry): RequestMetrics {
  const common = ["server", "zone", "view"];
  const requests = metrics.counter("coredns_dns_requests_total", "Counter of DNS requests made per zone, protocol and family.", [
    ...common,
    "proto",
    "family",
    "type",
  ]);
  const dnssec = metrics.counter("coredns_dns_do_requests_total", "Counter of DNS requests with DO bit set per zone.", common);
  const responses = metrics.counter("coredns_dns_responses_total", "Counter of response status codes.", [...common, "rcode", "plugin"]);
  const duration = metrics.histogram(
    "coredns_dns_request_duration_seconds",
    "Histogram of the time (in seconds) each request took per zone.",
    common,
    seconds,
  );
  const requestSize = metrics.histogram(
    "coredns_dns_request_size_bytes",
    "Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.",
    [...common, "proto"],
    sizes,
  );
  const responseSize = metrics.histogram(
    "coredns_dns_response_size_bytes",
    "Size of the returned response in bytes.",
    [...common, "proto"],
    sizes,
  );
  const alike = new Map<string, CountAgain>();
  return {
    count({ client, server, question, size, message, view }, zone, outcome, tookMs) {
      const type = typeName(question.type);
      const family = client.address.includes(":") ? "2" : "1";
      requests.labels(server, zone, view, client.protocol, family, known.has(type) ? type : "other").inc();
      if (message.edns?.dnssecOk === true) dnssec.labels(server, zone, view).inc();
      duration.labels(server, zone, view).observe(tookMs / 1000);
      requestSize.labels(server, zone, view, client.protocol).observe(size);
      if (outcome.kind === "drop") return;
      const replied = outcome.kind === "reply";
      const by = replied || outcome.kind === "transfer" ? outcome.plugin : "";
      responses.labels(server, zone, view, rcodeName(rcodeOf(outcome)), by).inc();
      if (replied) responseSize.labels(server, zone, view, client.protocol).observe(encode(outcome.message).length);
    },
    repeated({ client, server, question, size, message, view }, zone, outcome) {
      const type = typeName(question.type);
      const { protocol } = client;
      const labels = {
        ...{ server, zone, view, protocol, family: client.address.includes(":") ? "2" : "1", type: known.has(type) ? type : "other" },
        ...{ rcode: rcodeName(outcome.message.rcode), plugin: outcome.plugin, dnssecOk: message.edns?.dnssecOk === true },
      };
      const bytes = encode(outcome.message).length;
      const key = [...Object.values(labels), size, bytes].join(" ");
      const there = alike.get(key);
      if (there !== undefined) return there;
      if (alike.size >= maxAlike) alike.clear();
      const again = counting(labels, size, bytes);
      alike.set(key, again);
      return again;
    },
  };

  function counting(
    { server, zone, view, protocol, family, type, rcode, plugin, dnssecOk }: RepeatedLabels,
    size: number,
    bytes: number,
  ): CountAgain {
    const counters = [
      requests.labels(server, zone, view, protocol, family, type),
      responses.labels(server, zone, view, rcode, plugin),
      ...(dnssecOk ? [dnssec.labels(server, zone, view)] : []),
    ];
    const took = duration.labels(server, zone, view);
    const asked = requestSize.labels(server, zone, view, protocol);
    const answered = responseSize.labels(server, zone, view, protocol);
    return (times) => {
      for (const counter of counters) counter.inc(times);
      took.observe(0, times);
      asked.observe(size, times);
      answered.observe(bytes, times);
    };
  }
}

interface RepeatedLabels {
  readonly server: string;
  readonly zone: string;
  readonly view: string;
  readonly protocol: string;
  readonly family: string;
  readonly type: string;
  readonly rcode: string;
  readonly plugin: string;
  readonly dnssecOk: boolean;
}

/** Answers that are counted alike share a function; so many are remembered. */
const maxAlike = 8192;
