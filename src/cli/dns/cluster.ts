/** The cluster that a DNS server of its own reads: opened when a Corefile wants it, and not before. */
import { existsSync, readFileSync } from "node:fs";
import { createClient } from "../../client/rest.ts";
import { httpsTransport } from "../../client/https-transport.ts";
import { createInformerFactory } from "../../client/informer-factory.ts";
import type { InformerFactory } from "../../client/informer.ts";
import { loadKubeconfig, type ServerConfig } from "../../client/kubeconfig.ts";
import type { Transform } from "../../decide/dns/index.ts";
import type { ClusterConnection, ClusterTarget, KubernetesSource } from "../../dns/plugins/kubernetes/setup.ts";
import { realClock } from "../../lib/clock.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Objects a page, from servers that do not stream the first state. */
const fallbackPage = 100;

type Env = Readonly<Record<string, string | undefined>>;

/** As client-go's InClusterConfig: undefined outside of a pod. */
export function inClusterConfig(env: Env = process.env): ServerConfig | undefined {
  const [host, port] = [env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]];
  if (host === undefined || port === undefined || !existsSync(`${serviceAccount}/token`)) return undefined;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: readFileSync(`${serviceAccount}/ca.crt`, "utf8"),
    tokenFile: `${serviceAccount}/token`,
    namespace: "default",
    context: "in-cluster",
  };
}

async function configFor(target: ClusterTarget | undefined): Promise<ServerConfig> {
  if (target === undefined) return inClusterConfig() ?? (await loadKubeconfig());
  if (target.kind === "kubeconfig")
    return loadKubeconfig({ path: target.path, ...(target.context === undefined ? {} : { context: target.context }) });
  const { url, tls } = target;
  if (!url.startsWith("https:")) {
    throw new FairleadError("FL_UNSUPPORTED", `endpoint ${url}: only https is spoken to an API server`, {
      hint: "Give the https address with tls CERT KEY CACERT, or a kubeconfig.",
    });
  }
  const read = (path: string) => readFileSync(path, "utf8");
  const certificates = tls === undefined ? {} : { clientCertificate: read(tls.cert), clientKey: read(tls.key), ca: read(tls.ca) };
  return { server: url, namespace: "default", context: "corefile", ...certificates };
}

/** Informers can be asked for at once; what they read comes once `start` has opened the way to the cluster. */
export class LazyCluster implements ClusterConnection {
  readonly #target: ClusterTarget | undefined;
  readonly #transform: Transform;
  readonly #log: Logger;
  #factory: InformerFactory | undefined;
  #close: () => Promise<void> = async () => undefined;

  /** `transform`: what is kept of each object. */
  constructor(target: ClusterTarget | undefined, transform: Transform, log: Logger) {
    this.#target = target;
    this.#transform = transform;
    this.#log = log;
  }

  get informers(): InformerFactory {
    if (this.#factory === undefined) throw new FairleadError("FL_NOT_RUNNING", "the cluster has not been connected to yet");
    return this.#factory;
  }

  async start(): Promise<void> {
    const transport = httpsTransport(await configFor(this.#target));
    this.#factory = createInformerFactory(createClient(transport, { fieldManager: "fairlead-dns" }), {
      clock: realClock,
      log: this.#log,
      transform: this.#transform,
      // A large cluster comes one object at a time: no list of all of them is ever in memory.
      watchList: true,
      pageSize: fallbackPage,
    });
    this.#factory.start();
    this.#close = async () => {
      await this.#factory?.stop();
      await transport.close();
    };
  }

  async stop(): Promise<void> {
    await this.#close();
  }
}

export function clusterSource(log: Logger): KubernetesSource {
  return { localAddresses: [], connect: (target, transform) => new LazyCluster(target, transform, log) };
}
