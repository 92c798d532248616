/** A server block with something behind it, for the tests of plugins: what a query gets from it, and how often what is behind was asked. */
import type { InformerFactory } from "../../client/informer.ts";
import { endpointSlices, namespaces, pods, services, type Resource } from "../../api/resources.ts";
import { FakeInformer } from "../../controllers/fake-informer.ts";
import { rcodes, typeCode } from "../../decide/dns/records.ts";
import { FakeClock, realClock } from "../../lib/clock.ts";
import { createLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { configure } from "../corefile/configure.ts";
import { systemSources } from "../corefile/sources.ts";
import {
  failure,
  type Awaitable,
  type ClientAddress,
  type DnsRequest,
  type Outcome,
  type PluginEntry,
  type PluginEnvironment,
} from "../plugin.ts";
import { pluginList, unsupportedDirectives } from "../plugins.ts";
import { Answerer } from "../server/answer.ts";
import { messageOf } from "../server/finish.ts";
import { SharedHttpEndpoints } from "../server/http-endpoints.ts";
import { noWatch } from "../server/query-watch.ts";
import { createQuery, type Message } from "../wire/message.ts";

export const clusterInformers = {
  namespaces: new FakeInformer(namespaces),
  services: new FakeInformer(services),
  endpointSlices: new FakeInformer(endpointSlices),
  pods: new FakeInformer(pods),
};

const informers = {
  informer: (resource: Resource) => Object.values(clusterInformers).find((one) => (one.resource as Resource) === resource),
} as unknown as InformerFactory;

export interface Rig {
  ask(name: string, type?: string, options?: Partial<Message>, client?: Partial<ClientAddress>): Promise<Message | undefined>;
  /** Ends what the plugins have begun. */
  stop(): Promise<void>;
  readonly clock: FakeClock;
  readonly lines: string[];
  readonly metrics: MetricsRegistry;
  /** How often the plugin after the list was asked. */
  readonly asked: () => number;
}

export type Backend = (request: DnsRequest) => Awaitable<Outcome>;

/** The block's plugins, and after them `backend`. */
export async function rig(
  block: string,
  backend: Backend = () => failure(rcodes.SERVFAIL, new Error("nobody knows")),
  real = false,
  zones = ".:53",
): Promise<Rig> {
  const clock = new FakeClock();
  const lines: string[] = [];
  const metrics = new MetricsRegistry();
  let count = 0;
  const last: PluginEntry = {
    name: "backend",
    setup(reader) {
      reader.next();
      const serveDNS = (request: DnsRequest) => {
        count++;
        return backend(request);
      };
      return { handlers: [{ name: "backend", serveDNS }] };
    },
  };
  const environment: PluginEnvironment = {
    clock: real ? realClock : clock,
    log: createLogger({ write: (line) => void lines.push(line), level: "debug", now: () => 0 }),
    metrics,
    random: Math.random,
    sources: systemSources,
    http: new SharedHttpEndpoints({ port: () => undefined }),
    watch: noWatch,
    checkCorefile: () => undefined,
  };
  const configuration = configure({
    text: `${zones} {\n${block}\nbackend\n}`,
    file: "Corefile",
    plugins: [...pluginList({ kubernetes: { informers, localAddresses: ["127.96.0.10"] } }), last],
    unsupported: unsupportedDirectives,
    environment,
    hosts: () => [],
  });
  for (const { instance } of configuration.instances) await instance.start?.();
  const answerer = new Answerer(environment);
  const arrival = {
    client: { address: "10.0.0.9", port: 4321, protocol: "udp" as const },
    label: "dns://:53",
    routes: configuration.servers[0]?.zones ?? new Map(),
  };
  return {
    clock,
    lines,
    metrics,
    asked: () => count,
    async stop() {
      for (const { instance } of configuration.instances) await instance.stop?.();
    },
    async ask(name, type = "A", options = {}, client = {}) {
      const query = createQuery(name, typeCode(type) ?? 0, { id: 42, ...options });
      return messageOf(query, await answerer.message(query, { ...arrival, client: { ...arrival.client, ...client } }, 40));
    },
  };
}
