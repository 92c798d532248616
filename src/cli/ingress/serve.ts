/** `fairlead ingress`: the gateway alone, against the cluster of a kubeconfig. */
import { createClient } from "../../client/rest.ts";
import { createEventRecorder } from "../../client/event-recorder-impl.ts";
import { httpsTransport } from "../../client/https-transport.ts";
import { createInformerFactory } from "../../client/informer-factory.ts";
import { loadKubeconfig } from "../../client/kubeconfig.ts";
import { createGatewayController } from "../../gateway/control/controller.ts";
import { createGateway } from "../../gateway/gateway.ts";
import { createObservers, type ObserveOptions } from "../../gateway/observers.ts";
import type { ListenPlan } from "../../gateway/ports.ts";
import { realClock } from "../../lib/clock.ts";
import { createLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import type { Terminal } from "../terminal.ts";
import type { ServeFlags } from "./command.ts";

/** Until SIGINT or SIGTERM. Throws FL_KUBECONFIG, FL_LISTEN. */
export async function serve(flags: ServeFlags, terminal: Terminal): Promise<number> {
  const clock = realClock;
  const log = createLogger();
  const metrics = new MetricsRegistry();
  const transport = httpsTransport(await loadKubeconfig(flags.kubeconfig === undefined ? {} : { path: flags.kubeconfig }));
  const client = createClient(transport, { fieldManager: "fairlead-gateway" });
  const informers = createInformerFactory(client, { clock, log });
  const recorder = createEventRecorder(client, "fairlead-gateway", { clock, log });
  const observers = createObservers(observed(flags), { clock, log, metrics });
  const shared = {
    observers,
    threads: flags.threads,
    ...(flags.trustedProxies === undefined ? {} : { limits: { trustedProxies: flags.trustedProxies } }),
    ...(flags.zone === undefined ? {} : { zone: flags.zone }),
  };
  const gateway = createGateway({
    client,
    informers,
    recorder,
    clock,
    log,
    metrics,
    listen: listenPlans(flags),
    ...shared,
    ...(flags.authority === undefined ? {} : { authorityDirectory: flags.authority }),
    ...(flags.onlyOwnClass ? { classes: { standInFor: [], serveClassless: false } } : {}),
  });
  // Gateways share the one address: two cannot have the same port, nor one the ports above.
  const gateways = createGatewayController({
    client,
    recorder,
    informers,
    clock,
    log,
    metrics,
    addresses: { shared: flags.address },
    ...shared,
  });
  try {
    await gateway.start();
    await gateways.start();
    for (const { protocol, host, port } of gateway.addresses) terminal.note(`${protocol} on ${host}:${port}`);
    informers.start();
    await untilSignal();
  } finally {
    await gateways.stop();
    await gateway.stop();
    await observers.stop();
    await informers.stop();
    await transport.close();
  }
  return 0;
}

function observed({ accessLog, accessLogFile, otlpEndpoint, traceRatio }: ServeFlags): ObserveOptions {
  return {
    ...(accessLog === undefined ? {} : { accessLog: { format: accessLog, path: accessLogFile } }),
    ...(otlpEndpoint === undefined ? {} : { traces: { endpoint: otlpEndpoint, ratio: traceRatio } }),
  };
}

/** One listener where both are to have one port. */
function listenPlans({ address: host, httpPort, httpsPort, proxyProtocolFrom }: ServeFlags): readonly ListenPlan[] {
  const more = { host, ...(proxyProtocolFrom === undefined ? {} : { proxyProtocol: proxyProtocolFrom }) };
  const isOne = httpPort === httpsPort && httpPort !== 0;
  const http = { name: "http", protocol: "HTTP", ports: [httpPort], ...more } as const;
  if (isOne) return [{ ...http, secure: "https" }];
  return [http, { name: "https", protocol: "HTTPS", ports: [httpsPort], ...more }];
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
