/** What the proxy tells about itself: `/healthz` and `/livez` to load balancers, `/metrics` and the rest to this machine. */
import { sleep, type Clock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import type { HostPort } from "../configuration/settings.ts";
import { serve, type Answer, type Answering, type OpenServer } from "../health/http.ts";
import type { ProxyHealth } from "../health/proxy-health.ts";

export interface HealthzOptions {
  readonly health: ProxyHealth;
  readonly eligible: () => boolean;
  readonly metrics: MetricsRegistry;
}

/** Load balancers ask `/healthz`, which a node that is going away fails; the kubelet asks `/livez`, which it does not (KEP-3836). */
export function healthz({ health, eligible, metrics }: HealthzOptions): Answering {
  const counter = (path: string) => metrics.counter(`kubeproxy_proxy_${path}_total`, `Answers of /${path}`, ["code"]);
  const [healthzTotal, livezTotal] = [counter("healthz"), counter("livez")];
  return (path) => {
    if (path !== "/healthz" && path !== "/livez") return undefined;
    const report = path === "/healthz" ? health.report(eligible()) : health.report();
    const status = report.healthy && report.nodeEligible !== false ? 200 : 503;
    (path === "/healthz" ? healthzTotal : livezTotal).labels(String(status)).inc();
    return { status, type: "application/json", body: JSON.stringify(report) };
  };
}

export interface MetricsPageOptions {
  readonly metrics: MetricsRegistry;
  readonly mode: string;
  /** As a KubeProxyConfiguration. */
  readonly configuration: object;
}

const text = (body: string): Answer => ({ status: 200, type: "text/plain; charset=utf-8", body });

export function metricsPages({ metrics, mode, configuration }: MetricsPageOptions): Answering {
  return (path) => {
    switch (path) {
      case "/metrics":
        return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: metrics.text() };
      case "/proxyMode":
        return text(mode);
      case "/healthz":
        return text("ok");
      case "/configz":
        return { status: 200, type: "application/json", body: JSON.stringify({ "kubeproxy.config.k8s.io": configuration }) };
      default:
        return undefined;
    }
  };
}

export interface KeepServingOptions {
  readonly name: string;
  readonly place: HostPort;
  readonly answering: Answering;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Throws where the address cannot be bound, instead of trying again. */
  readonly hardFail: boolean;
  readonly failed: (message: string) => void;
}

const againMs = 5000;

/** Opens the server; where it cannot be opened now, as soon as it can. Resolves after the first attempt. */
export async function keepServing(options: KeepServingOptions): Promise<() => Promise<void>> {
  const { name, place, answering, clock, log, signal, hardFail, failed } = options;
  let open: OpenServer | undefined;
  const attempt = async (): Promise<boolean> => {
    try {
      open = await serve(place, answering);
      log.info(`${name} at ${joinHostPort(place.host, open.port)}`);
      return true;
    } catch (error) {
      if (hardFail) throw error;
      log.error(`${name}: ${errorMessage(error)}`);
      failed(`${name}: ${errorMessage(error)}`);
      return false;
    }
  };
  const again = async () => {
    while (!signal.aborted) {
      await sleep(clock, againMs, signal);
      if (await attempt()) return;
    }
  };
  const trying = (await attempt()) ? Promise.resolve() : again().catch(() => undefined);
  return async () => {
    await trying;
    await open?.close();
  };
}
