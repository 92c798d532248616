/**
 * The API server: registries over a store, behind one handler. It answers in this process from `start` on; the HTTPS
 * listener, with its certificates, comes only where it is asked for.
 */
import { randomUUID } from "node:crypto";
import { kinds as builtInKinds } from "../api/kinds/index.ts";
import { metricsKinds } from "../api/kinds/metrics.ts";
import { reviewKinds } from "../api/kinds/reviews.ts";
import type { KindSpec } from "../api/kind.ts";
import type { ApiHandler, ApiRequest, ApiResponse } from "../api/request.ts";
import { clusterRoleBindings, groupResource, services, type Resource } from "../api/resources.ts";
import type { Service } from "../api/types.ts";
import { isReady, type Readiness } from "../component/component.ts";
import { realClock, type Clock } from "../lib/clock.ts";
import { errorMessage, FairleadError } from "../lib/errors.ts";
import { joinHostPort } from "../lib/ip.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import type { AdmissionPlugin } from "./admission/admission.ts";
import { admissionPlugins } from "./admission/index.ts";
import { createAuditor, type Auditor } from "./audit/auditor.ts";
import { validatingPolicies } from "./admission/policies.ts";
import { mutatingWebhooks, validatingWebhooks } from "./admission/webhooks.ts";
import type { Authorizer } from "./auth/authorizer.ts";
import { fixedAuthorizer } from "./auth/fixed-authorizer.ts";
import { nodeAuthorizer } from "./auth/node-authorizer.ts";
import { rbacAuthorizer } from "./auth/rbac/authorizer.ts";
import { escalationCheck } from "./auth/rbac/escalation.ts";
import { mastersAuthorizer, unionAuthorizer } from "./auth/union-authorizer.ts";
import { Tokens } from "./auth/token-authenticator.ts";
import { createDefaultRoles, createSystemObjects, publishEndpoint, type Address } from "./bootstrap.ts";
import { Documents } from "./documents.ts";
import { Handler } from "./handler.ts";
import type { HealthChecks } from "./health.ts";
import type { Listener } from "./http/listener.ts";
import { longWork } from "./long-work.ts";
import { Registry } from "./registry/registry.ts";
import { ResourceRouter } from "./resource-router.ts";
import { startCleanup } from "./custom-resource-cleanup.ts";
import { ServicePools } from "./service-pools.ts";
import { snapshotOf } from "./snapshot.ts";
import { ServedKinds } from "./served-kinds.ts";
import { ServerCertificates } from "./server-certificates.ts";
import type { ApiServer, ApiServerOptions } from "./server-options.ts";
import type { Store } from "./store.ts";
import type { ProxyOptions } from "./subresources/proxy.ts";
import { defaultVersion } from "./version.ts";
import { createStore } from "./watch-cache.ts";

/** Throws FL_CONFIG for ranges that cannot be read. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  return new Server(options);
}

class Server implements ApiServer {
  readonly name = "apiserver";
  readonly #options: ApiServerOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #random: () => number;
  readonly #metrics: MetricsRegistry;
  readonly #store: Store;
  readonly #pools: ServicePools;
  readonly #served: ServedKinds;
  #cleanup: { close(): void } | undefined;
  readonly #handler: ApiHandler;
  readonly #auditor: Auditor | undefined;
  readonly #tokens: Tokens;
  readonly #authorizer: Authorizer;
  /** The kinds of RBAC are served; without them rights are fixed. */
  readonly #hasRoles: boolean;
  readonly #certificates: ServerCertificates;
  #listener: Promise<Listener> | undefined;
  #address: Address | undefined;
  #published: Address | undefined;
  #state: "new" | "ready" | "stopped" = "new";

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#log = (options.log ?? silentLogger).child("apiserver");
    this.#random = options.random ?? Math.random;
    this.#metrics = options.metrics ?? new MetricsRegistry();
    this.#store = createStore({ backend: options.backend, clock: this.#clock, log: this.#log, metrics: this.#metrics });
    this.#pools = new ServicePools({
      store: this.#store,
      clusterIPRanges: options.serviceClusterIPRanges,
      nodePortRange: options.serviceNodePortRange ?? "30000-32767",
      random: this.#random,
    });
    this.#certificates = new ServerCertificates({
      directory: options.pkiDirectory,
      clusterDomain: options.clusterDomain ?? "cluster.local",
      addresses: () => this.#ownAddresses(),
      clock: this.#clock,
      log: this.#log,
    });
    const kinds = options.kinds ?? builtInKinds;
    this.#hasRoles = kinds.some(({ resource }) => groupResource(resource) === groupResource(clusterRoleBindings));
    const rbac = rbacAuthorizer(this.#store);
    this.#authorizer = this.#hasRoles ? unionAuthorizer(mastersAuthorizer, nodeAuthorizer(this.#store), rbac) : fixedAuthorizer;
    const admission = [
      ...admissionPlugins({ store: this.#store, mountTokens: options.mountServiceAccountTokens ?? false, random: this.#random }),
      ...(this.#hasRoles ? [escalationCheck(rbac)] : []),
      ...this.#othersAdmission(),
    ];
    this.#served = new ServedKinds({
      builtIn: kinds,
      others: [...reviewKinds, ...metricsKinds],
      store: this.#store,
      registry: (kind, store) => this.#registry(kind, admission, store),
    });
    const registryOf = (group: string, version: string, plural: string) => this.#served.registryOf(group, version, plural);
    this.#tokens = this.#createTokens();
    const router = new ResourceRouter({
      registryOf,
      proxy: this.#proxyOptions(),
      authorizer: this.#authorizer,
      tokenReviewer: this.#tokens.review,
      tokenIssuer: { tokens: this.#tokens.serviceAccounts, store: this.#store },
      nodeAgent: options.nodeAgent ?? (() => undefined),
      clock: this.#clock,
      random: this.#random,
    });
    const address = () => (this.#address === undefined ? "" : joinHostPort(this.address().host, this.address().port));
    const version = options.version ?? defaultVersion;
    const documents = new Documents({ table: () => this.#served.table(), version: version.git, address });
    this.#auditor = options.audit && createAuditor(options.audit, this.#clock);
    const handler = new Handler({
      auditor: this.#auditor,
      authorizer: this.#authorizer,
      router,
      documents,
      tokens: this.#tokens,
      address,
      version,
      health: () => this.#checks(),
      pages: this.#options.pages ?? new Map(),
      snapshot: () => snapshotOf(this.#store, this.#clock.now()),
      stopping: () => this.#state === "stopped",
      metrics: this.#metrics,
      clock: this.#clock,
      log: this.#log,
    });
    this.#handler = options.around?.(handler) ?? handler;
  }

  /** By what administrators and operators put up, after everything of our own. */
  #othersAdmission(): readonly AdmissionPlugin[] {
    const options = {
      store: this.#store,
      log: this.#log.child("webhooks"),
      dial: async (namespace: string, name: string, port: number) => {
        const { dialService } = await import("./subresources/proxy.ts");
        return dialService(namespace, name, port, this.#proxyOptions());
      },
    };
    const policies = validatingPolicies({ store: this.#store, kinds: () => this.#served.table().kinds });
    return [mutatingWebhooks(options), policies, validatingWebhooks(options)];
  }

  #proxyOptions(): ProxyOptions {
    const { nodeAgent = () => undefined, allowLoopbackEndpoints = false } = this.#options;
    return { store: this.#store, nodeAgent, allowLoopback: allowLoopbackEndpoints, random: this.#random };
  }

  #createTokens(): Tokens {
    const { pkiDirectory, clusterDomain = "cluster.local", serviceAccountIssuer, tokens } = this.#options;
    return new Tokens({
      store: this.#store,
      key: async () => (await import("./auth/service-account-keys.ts")).ensureServiceAccountKey(pkiDirectory),
      issuer: serviceAccountIssuer ?? `https://kubernetes.default.svc.${clusterDomain}`,
      others: tokens ?? (() => undefined),
      now: () => this.#clock.now(),
    });
  }

  #registry(kind: KindSpec, admission: readonly AdmissionPlugin[], store = this.#store.resource(kind.resource)): Registry {
    return new Registry({
      kind,
      store,
      clock: this.#clock,
      random: this.#random,
      uid: this.#options.uid ?? randomUUID,
      allowLoopbackEndpoints: this.#options.allowLoopbackEndpoints ?? false,
      admission,
      ...(groupResource(kind.resource) === groupResource(services) ? { pools: this.#pools } : {}),
    });
  }

  /** What the certificate names. */
  #ownAddresses(): readonly string[] {
    const { host, serverAddresses = [] } = this.#options;
    const own = host === undefined || unspecified.includes(host) ? [] : [host];
    return [this.kubernetesClusterIP, ...own, ...serverAddresses];
  }

  get kubernetesClusterIP(): string {
    return this.#pools.allocator.kubernetesClusterIp;
  }

  handle(request: ApiRequest): Promise<ApiResponse> {
    return this.#handler.handle(request);
  }

  async start(): Promise<void> {
    const certificates = this.#options.certificatesAtStart === true ? this.#certificates.ensure() : undefined;
    await Promise.all([this.#store.open(), certificates]);
    await this.#adoptServices();
    await Promise.all([
      createSystemObjects(this.#bootstrapRegistry, this.kubernetesClusterIP),
      ...(this.#hasRoles ? [createDefaultRoles(this.#bootstrapRegistry)] : []),
    ]);
    const definitions = this.#served.registryOf("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    if (definitions !== undefined) this.#cleanup = startCleanup({ definitions, served: this.#served, clock: this.#clock, log: this.#log });
    this.#state = "ready";
  }

  /** What Services hold stays theirs over a restart. */
  async #adoptServices(): Promise<void> {
    const { items } = await this.#store.resource(services).list();
    for (const item of items) {
      for (const problem of this.#pools.allocator.adopt(item.object() as Service))
        this.#log.warn("cannot take over what a Service holds", { problem });
      if (longWork.isOver) await longWork.next();
    }
  }

  readonly #bootstrapRegistry = (resource: Resource): Registry => {
    const kind = this.#served.registryOf(resource.group, resource.version, resource.plural)?.kind;
    if (kind === undefined) throw new FairleadError("FL_CONFIG", `the API server needs the kind ${resource.kind}`);
    return this.#registry(kind, []);
  };

  async listen(): Promise<Address> {
    if (this.#address !== undefined) throw new FairleadError("FL_INTERNAL", "the API server listens once");
    this.#address = nowhere;
    const { host = "127.0.0.1", port = 0, publishedAddress } = this.#options;
    const listener = await this.#ensureListener();
    await listener.listen({ host, port });
    this.#address = listener.address;
    await this.#publish(publishedAddress ?? this.#published ?? this.address());
    return this.address();
  }

  async listenAlso({ fd, address }: { readonly fd: number; readonly address: Address }): Promise<void> {
    const listener = await this.#ensureListener();
    await listener.listenOn(fd);
    this.#published = address;
    await this.#publish(this.#options.publishedAddress ?? address);
  }

  #ensureListener(): Promise<Listener> {
    if (this.#state !== "ready") throw new FairleadError("FL_INTERNAL", "the API server listens after its start");
    return (this.#listener ??= this.#createListener());
  }

  async #createListener(): Promise<Listener> {
    const options = this.#options;
    const [{ createListener }, { ca, server }] = await Promise.all([import("./http/listener.ts"), this.#certificates.ensure()]);
    const listener = createListener({
      handler: this.#handler,
      tls: { ca, ...server },
      tokens: this.#tokens.authenticate,
      limits: options.requestLimits ?? {},
      clock: this.#clock,
      log: this.#log,
      metrics: this.#metrics,
      pods: {
        registry: this.#bootstrapRegistry,
        nodeAgent: options.nodeAgent ?? (() => undefined),
        authorizer: this.#authorizer,
        proxy: this.#proxyOptions(),
        auditor: this.#auditor,
      },
    });
    this.#certificates.keepValid((renewed) => listener.useCertificate({ ca: renewed.ca, ...renewed.server }));
    return listener;
  }

  get certificateAuthority(): string | undefined {
    return this.#certificates.authority;
  }

  async adminKubeconfig(name: string): Promise<string> {
    const { kubeconfigText } = await import("./auth/kubeconfig.ts");
    const { ca, admin } = await this.#certificates.ensure();
    const { host, port } = this.address();
    return kubeconfigText({ name, server: `https://${joinHostPort(host, port)}`, ca, client: admin });
  }

  /** A cluster whose Endpoints may not name the listener's address works but for this Service. */
  async #publish(address: Address): Promise<void> {
    try {
      await publishEndpoint(this.#bootstrapRegistry, address);
    } catch (error) {
      this.#log.warn("the Service default/kubernetes has no endpoint", { error: errorMessage(error) });
    }
  }

  address(): Address {
    const { host, port } = this.#address ?? nowhere;
    // Whoever listens on all addresses is told by one that reaches it.
    return host === "0.0.0.0" ? { host: "127.0.0.1", port } : host === "::" ? { host: "::1", port } : { host, port };
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#cleanup?.close();
    this.#certificates.close();
    await (await this.#listener)?.close();
    await this.#store.close();
  }

  ready(): Readiness {
    return this.#state === "ready" ? isReady : { ready: false, reason: this.#state === "new" ? "not started" : "stopped" };
  }

  /** A full disk: what reads only is served as before, and whoever looks at readiness learns why nothing changes. */
  #writes(): Readiness {
    const { problem } = this.#store;
    return problem === undefined ? isReady : { ready: false, reason: problem };
  }

  #checks(): HealthChecks {
    return new Map<string, Readiness>([
      ["ping", isReady],
      ["storage", this.ready()],
      ["storage-writes", this.#writes()],
      ...(this.#options.checks?.() ?? []),
    ]);
  }
}

const nowhere: Address = { host: "", port: 0 };
const unspecified: readonly string[] = ["0.0.0.0", "::"];
