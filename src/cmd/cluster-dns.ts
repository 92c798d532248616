/**
 * The DNS objects of a cluster: ConfigMap `kube-system/coredns` holds the live Corefile, Service `kube-system/kube-dns` has the
 * address that pods use, its EndpointSlice the built-in server's. An edited ConfigMap reloads the server at once; a
 * Corefile that cannot be used leaves the old one running and says so in an Event.
 */
import type { KubeObject } from "../api/object.ts";
import { configMaps, endpointSlices, services, type Resource } from "../api/resources.ts";
import { isAlreadyExists, isNotFound } from "../api/status.ts";
import type { ConfigMap, EndpointSlice, Service } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { InformerFactory } from "../client/informer.ts";
import { isReady, type Component, type Readiness } from "../component/component.ts";
import type { TopReport } from "../decide/dns/top/query-tally.ts";
import { rcodeName, typeCode, typeName } from "../decide/dns/records.ts";
import { defaultCorefile } from "../dns/default-corefile.ts";
import type { Handler, KeptState } from "../dns/plugin.ts";
import type { SocketSource } from "../dns/server/listener.ts";
import { createDnsServer, type DnsServer, type ReloadResult } from "../dns/server/server.ts";
import { dataText } from "../dns/wire/text.ts";
import type { Clock } from "../lib/clock.ts";
import { FairleadError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";

const namespace = "kube-system";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface DnsQueryResult {
  /** `NOERROR`, `NXDOMAIN` */
  readonly rcode: string;
  readonly answers: readonly { readonly name: string; readonly type: string; readonly ttl: number; readonly text: string }[];
}

export interface ClusterDns extends Component {
  readonly address: ListenAddress;
  /** What it cannot do here, as sentences. */
  limits(): readonly string[];
  /** Who asks for what. */
  top(): TopReport | undefined;
  /** What its caches keep of answers to a question. */
  kept(name: string, type: string): readonly KeptState[];
  /** In process, through the same chain of plugins. */
  query(name: string, type: string): Promise<DnsQueryResult>;
}

interface DnsObjects {
  readonly client: Client;
  readonly clusterIP: string;
  readonly server: ListenAddress;
}

/** The live Corefile: what the ConfigMap says, which is made where there is none. */
async function ensureCorefile(client: Client, corefile: string): Promise<string> {
  const config = await ensure(client, configMaps, { metadata: { name: "coredns", namespace }, data: { Corefile: corefile } });
  return config.data?.["Corefile"] ?? corefile;
}

async function ensureDnsObjects({ client, clusterIP, server }: DnsObjects): Promise<void> {
  await ensure(client, services, kubeDns(clusterIP));
  await replaceSlice(client, slice(server));
}

function kubeDns(clusterIP: string): Service {
  return {
    metadata: {
      name: "kube-dns",
      namespace,
      labels: { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS" },
    },
    spec: {
      clusterIP,
      ports: [
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "dns-tcp", port: 53, protocol: "TCP" },
      ],
    },
  };
}

function slice({ host, port }: ListenAddress): EndpointSlice {
  return {
    metadata: {
      name: "kube-dns-builtin",
      namespace,
      labels: { "kubernetes.io/service-name": "kube-dns", "endpointslice.kubernetes.io/managed-by": "dns.fairlead.dev" },
    },
    addressType: host.includes(":") ? "IPv6" : "IPv4",
    endpoints: [{ addresses: [host], conditions: { ready: true, serving: true, terminating: false } }],
    ports: [
      { name: "dns", port, protocol: "UDP" },
      { name: "dns-tcp", port, protocol: "TCP" },
    ],
  };
}

/** Asked for first: a Service that is there holds its address, and making it again would fail for that. */
async function ensure<T extends KubeObject>(client: Client, resource: Resource<T>, object: T): Promise<T> {
  try {
    return await client.get(resource, { namespace, name: object.metadata.name ?? "" });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return await client.create(resource, object);
  }
}

/** The server may have moved since the last run. */
async function replaceSlice(client: Client, wanted: EndpointSlice): Promise<void> {
  const ref = { namespace, name: wanted.metadata.name ?? "" };
  try {
    await client.create(endpointSlices, wanted);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const current = await client.get(endpointSlices, ref);
    await client.update(endpointSlices, { ...current, endpoints: wanted.endpoints, ports: wanted.ports });
  }
}

interface CorefileWatchOptions {
  readonly informers: InformerFactory;
  readonly recorder: EventRecorder;
  readonly reload: (corefile: string) => Promise<ReloadResult>;
  readonly current: string;
}

/** Follows the ConfigMap. */
function createCorefileWatch({ informers, recorder, reload, current }: CorefileWatchOptions): Component {
  let loaded = current;
  let stop = () => {};
  let running: Promise<void> = Promise.resolve();
  const look = (config: ConfigMap) => {
    const { name, namespace: where } = config.metadata;
    const corefile = config.data?.["Corefile"];
    if (name !== "coredns" || where !== namespace || corefile === undefined || corefile === loaded) return;
    loaded = corefile;
    running = running.then(async () => {
      const result = await reload(corefile);
      if (result.ok) recorder.event(config, "Normal", "Reloaded", "the new Corefile is in use");
      else recorder.event(config, "Warning", "ReloadFailed", `the old Corefile stays in use: ${result.message}`);
    });
  };
  return {
    name: "corefile-watch",
    async start() {
      stop = informers.informer(configMaps).addHandlers({ added: look, updated: look });
    },
    async stop() {
      stop();
      await running;
    },
    ready: () => isReady,
  };
}

export interface ClusterDnsOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** The server's own address: unique to this cluster, so that several run side by side. */
  readonly host: string;
  /** Who makes its sockets, where that is not this thread. */
  readonly sockets?: SocketSource;
  /** Around each handler of the server's. Default: nothing. */
  readonly wrap?: (handler: Handler) => Handler;
  /** Further names of the default Corefile: name → addresses. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  readonly clusterIP: string;
  readonly clusterDomain: string;
}

/** Where port 53 is not allowed. */
const highPort = 10_053;

/** The built-in DNS server with its objects in the cluster. */
export function createClusterDns(options: ClusterDnsOptions): ClusterDns {
  return new BuiltInDns(options);
}

class BuiltInDns implements ClusterDns {
  readonly name = "cluster-dns";
  readonly #options: ClusterDnsOptions;
  #server: DnsServer | undefined;
  #watch: Component | undefined;

  constructor(options: ClusterDnsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { client, informers, recorder, clock, log, metrics, host, sockets, wrap, hosts, clusterIP, clusterDomain } = this.#options;
    const fallback = defaultCorefile(clusterDomain, hosts);
    const current = await ensureCorefile(client, fallback);
    const make = (corefile: string) =>
      createDnsServer({
        corefile,
        file: "Corefile",
        plugins: { kubernetes: { informers, localAddresses: [clusterIP] } },
        listen: (_, port) => [
          { host, port },
          { host, port: port === 53 ? highPort : port + highPort },
        ],
        httpHost: host,
        httpLoopback: host,
        ...(sockets === undefined ? {} : { sockets }),
        ...(wrap === undefined ? {} : { wrap }),
        clock,
        log,
        metrics,
      });
    this.#server = await started(make, current, fallback, (message) =>
      log.error("the Corefile of ConfigMap kube-system/coredns cannot be used; the default one is", { message }),
    );
    this.#server.watch().begin();
    await ensureDnsObjects({ client, clusterIP, server: this.address });
    const server = this.#server;
    this.#watch = createCorefileWatch({ informers, recorder, current, reload: (corefile) => server.reload(corefile) });
    await this.#watch.start();
  }

  async stop(): Promise<void> {
    await this.#watch?.stop();
    await this.#server?.stop();
  }

  ready(): Readiness {
    return this.#server?.ready() ?? { ready: false, reason: "the DNS server does not run" };
  }

  get address(): ListenAddress {
    const [first] = this.#server?.addresses().values() ?? [];
    return first === undefined ? { host: "", port: 0 } : { host: first.host, port: first.port };
  }

  kept(name: string, type: string): readonly KeptState[] {
    return this.#server?.kept(name, typeCode(type) ?? 0) ?? [];
  }

  top(): TopReport | undefined {
    return this.#server?.watch().report();
  }

  limits(): readonly string[] {
    const { host, port } = this.address;
    return port === highPort
      ? [`DNS listens on ${host} port ${port}: port 53 needs root, or sysctl net.ipv4.ip_unprivileged_port_start=53`]
      : [];
  }

  async query(name: string, type: string): Promise<DnsQueryResult> {
    const code = typeCode(type);
    if (code === undefined) throw new FairleadError("FL_USAGE", `${type} is no DNS record type`);
    if (this.#server === undefined) throw new FairleadError("FL_NOT_RUNNING", "the DNS server does not run");
    const { rcode, answers } = await this.#server.query(name, code);
    return {
      rcode: rcodeName(rcode),
      answers: answers.map((record) => ({ name: record.name, type: typeName(record.type), ttl: record.ttl, text: dataText(record.data) })),
    };
  }
}

/** A Corefile that somebody broke before the last stop must not keep the cluster from starting. */
async function started(
  make: (corefile: string) => DnsServer,
  corefile: string,
  fallback: string,
  tell: (message: string) => void,
): Promise<DnsServer> {
  try {
    const server = make(corefile);
    await server.start();
    return server;
  } catch (error) {
    if (!(error instanceof FairleadError) || error.code !== "FL_COREFILE") throw error;
    tell(error.message);
    const server = make(fallback);
    await server.start();
    return server;
  }
}
