/** A DNS server in this process that tells what each plugin did with a query. */
import { createDnsServer, type DnsServer } from "../../dns/server/server.ts";
import { after, rcodeOf, type Handler, type Outcome } from "../../dns/plugin.ts";
import { rcodeName } from "../../decide/dns/records.ts";
import { realClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { LazyCluster } from "./cluster.ts";

export interface TraceStep {
  /** Plugins that a query went through before. */
  readonly depth: number;
  readonly text: string;
}

/** Plugins that see every query and change none: what they do is no news. */
const onlookers: readonly string[] = ["errors", "log", "prometheus", "metadata", "loop"];

export interface TracedServerOptions {
  readonly corefile: string;
  readonly kubeconfig: string;
  /** Filled while a query goes through. */
  readonly steps: TraceStep[];
}

export async function createTracedServer({ corefile, kubeconfig, steps }: TracedServerOptions): Promise<DnsServer> {
  let depth = 0;
  const wrap = (handler: Handler): Handler => ({
    ...handler,
    name: handler.name,
    serveDNS(request, next) {
      if (onlookers.includes(handler.name)) return handler.serveDNS(request, next);
      const mine = depth;
      let passed = false;
      const outcome = handler.serveDNS(request, (changed) => {
        passed = true;
        const renamed = changed.name === request.name ? "" : `: asks for ${changed.name} instead`;
        steps.push({ depth: mine, text: `${handler.name}: passes it on${renamed}` });
        return next(changed);
      });
      return after(outcome, (done) => {
        depth = mine;
        if (!passed) steps.push({ depth: mine, text: `${handler.name}: ${told(done)}` });
        return done;
      });
    },
  });
  return createDnsServer({
    corefile,
    file: "Corefile",
    plugins: {
      kubernetes: {
        localAddresses: [],
        connect: (_, transform) => new LazyCluster({ kind: "kubeconfig", path: kubeconfig, context: undefined }, transform, silentLogger),
      },
    },
    listen: () => [],
    httpPort: () => undefined,
    wrap,
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  });
}

function told(outcome: Outcome): string {
  const rcode = rcodeName(rcodeOf(outcome));
  switch (outcome.kind) {
    case "reply":
      return `answers ${rcode}, ${outcome.message.answers.length} records${outcome.by === "cache" ? " (kept)" : ""}${outcome.why === undefined ? "" : `; ${outcome.why}`}`;
    case "none":
      return `fails with ${rcode}${outcome.error === undefined ? "" : `: ${outcome.error.message}`}`;
    case "drop":
      return "does not answer";
    case "transfer":
      return `hands the zone over in ${outcome.messages.length} messages`;
  }
}
