/** The `kubernetes` directive: options as a table of small functions. */
import { everything, parseLabelSelector, selectsEverything, type LabelSelector } from "../../../api/selectors.ts";
import { isReverseName } from "../../../decide/dns/reverse.ts";
import { wholeZone } from "../../../decide/dns/whole-zone.ts";
import { leanTransform, type LookupZone, type Transform } from "../../../decide/dns/index.ts";
import type { InformerFactory } from "../../../client/informer.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { BlockContext, PluginEntry } from "../../plugin.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { parseDuration } from "../../corefile/duration.ts";
import { machineSearch } from "../autopath/resolv-conf.ts";
import { queryLabels, searchPath } from "./client-pod.ts";
import { kubernetesHandler } from "./handler.ts";
import { ClusterIndex } from "./index-feed.ts";

/** Which cluster a Corefile means: the one that the server was started for, or one that it names. */
export type ClusterTarget =
  | { readonly kind: "kubeconfig"; readonly path: string; readonly context: string | undefined }
  | {
      readonly kind: "endpoint";
      readonly url: string;
      readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
    };

export interface ClusterConnection {
  /** Once `start` is done. */
  readonly informers: InformerFactory;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface KubernetesSource {
  /** Of the cluster that this program runs; absent: `connect` opens the one that is meant. */
  readonly informers?: InformerFactory;
  /** `undefined`: the Corefile names none. Absent: naming one is refused. `transform`: what need be kept of each object. */
  readonly connect?: (target: ClusterTarget | undefined, transform: Transform) => ClusterConnection;
  /** The address of the Service that clients ask: the zone's NS records name that. */
  readonly localAddresses: readonly string[];
}

interface Settings {
  pods: LookupZone["pods"];
  ttl: number;
  namespaces: Set<string>;
  endpointPodNames: boolean;
  ignoreEmptyService: boolean;
  zonal: boolean;
  noEndpoints: boolean;
  /** Zones; undefined: no fallthrough. */
  fallthrough: readonly string[] | undefined;
  /** Only objects with these labels. */
  labels: LabelSelector;
  namespaceLabels: LabelSelector;
  endpoint: string | undefined;
  tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
  kubeconfig: { readonly path: string; readonly context: string | undefined } | undefined;
}

type Option = (reader: TokenReader, settings: Settings) => void;

const podModes = ["disabled", "insecure", "verified"] as const;
const maxTtl = 3600;

const options: Readonly<Record<string, Option>> = {
  pods(reader, settings) {
    const [mode = ""] = reader.exactly(1);
    const known = podModes.find((one) => one === mode);
    if (known === undefined) throw reader.error(`wrong value for pods: ${mode}, must be one of: ${podModes.join(", ")}`);
    settings.pods = known;
  },
  namespaces(reader, settings) {
    const names = reader.args();
    if (names.length === 0) throw reader.argumentError();
    for (const name of names) settings.namespaces.add(name);
  },
  endpoint_pod_names(reader, settings) {
    reader.exactly(0);
    settings.endpointPodNames = true;
  },
  ttl(reader, settings) {
    const [text = ""] = reader.exactly(1);
    const ttl = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(ttl >= 0 && ttl <= maxTtl)) throw reader.error(`ttl must be in range [0, ${maxTtl}]: ${text}`);
    settings.ttl = ttl;
  },
  noendpoints(reader, settings) {
    reader.exactly(0);
    settings.noEndpoints = true;
  },
  zonal(reader, settings) {
    reader.exactly(0);
    settings.zonal = true;
  },
  ignore(reader, settings) {
    const [what = ""] = reader.args();
    if (what !== "empty_service") throw reader.error(`unable to parse ignore value: '${what}'`);
    settings.ignoreEmptyService = true;
  },
  fallthrough(reader, settings) {
    settings.fallthrough = zonesOrBlock(reader.args(), ["."]);
  },
  labels: (reader, settings) => void (settings.labels = readSelector(reader)),
  namespace_labels: (reader, settings) => void (settings.namespaceLabels = readSelector(reader)),
  endpoint(reader, settings) {
    const [url] = reader.args();
    if (url === undefined) throw reader.argumentError();
    settings.endpoint = url;
  },
  tls(reader, settings) {
    const [cert = "", key = "", ca = ""] = reader.exactly(3);
    settings.tls = { cert, key, ca };
  },
  kubeconfig(reader, settings) {
    const [path, context, ...more] = reader.args();
    if (path === undefined || more.length > 0) throw reader.argumentError();
    settings.kubeconfig = { path, context };
  },
  startup_timeout(reader) {
    // Answers are SERVFAIL with a reason until the first list is there: nothing waits for it.
    const [text = ""] = reader.args();
    if (parseDuration(text) === undefined) throw reader.error(`failed to parse startup_timeout: ${text}`);
  },
  apiserver_qps: (reader) => number(reader),
  apiserver_burst: (reader) => number(reader),
  apiserver_max_inflight: (reader) => number(reader),
};

/** Accepted for Corefiles that have them: one list and one watch a resource need no throttle. */
function number(reader: TokenReader): void {
  const property = reader.value;
  const [text = ""] = reader.exactly(1);
  if (!/^-?\d+(\.\d+)?$/.test(text)) throw reader.error(`invalid ${property} "${text}"`);
  if (Number(text) < 0) throw reader.error(`${property} must be >= 0`);
}

function readSelector(reader: TokenReader): LabelSelector {
  const args = reader.args();
  if (args.length === 0) throw reader.argumentError();
  const parsed = parseLabelSelector(args.join(" "));
  if (parsed.kind === "error") throw reader.error(`unable to parse label selector value: '${args.join(" ")}': ${parsed.message}`);
  return parsed.selector;
}

/** CoreDNS's options that are not here: refused by name. */
const absent: Readonly<Record<string, string>> = {
  multicluster: "ServiceImports are no objects of this API; serve each cluster's zone and forward to it",
  transfer: "use the transfer plugin",
};

export function kubernetes(source: KubernetesSource | undefined): PluginEntry {
  return { name: "kubernetes", setup: (reader, block) => setUp(reader, block, source) };
}

function setUp(reader: TokenReader, block: BlockContext, source: KubernetesSource | undefined) {
  reader.next();
  if (source === undefined) throw reader.error("kubernetes needs a cluster, and there is none");
  const settings: Settings = {
    pods: "disabled",
    ttl: 5,
    namespaces: new Set(),
    endpointPodNames: false,
    ignoreEmptyService: false,
    zonal: false,
    noEndpoints: false,
    fallthrough: undefined,
    labels: everything,
    namespaceLabels: everything,
    endpoint: undefined,
    tls: undefined,
    kubeconfig: undefined,
  };
  const zones = zonesOrBlock(reader.args(), block.zones);
  while (reader.nextInBlock()) {
    const option = options[reader.value];
    if (option !== undefined) option(reader, settings);
    else if (Object.hasOwn(absent, reader.value))
      throw reader.error(`property '${reader.value}' of kubernetes is not supported here: ${absent[reader.value]}`);
    else throw reader.error(`unknown property '${reader.value}'`);
  }
  if (settings.namespaces.size > 0 && !selectsEverything(settings.namespaceLabels))
    throw reader.error("namespaces and namespace_labels cannot both be set");
  if (settings.zonal && settings.noEndpoints) throw reader.error("zonal requires the endpoint cache; remove noendpoints");
  const primary = zones.find((zone) => !isReverseName(zone));
  if (primary === undefined) throw reader.error("non-reverse zone name must be used");
  const { clock } = block.environment;
  const connection = connectionFor(reader, settings, source);
  const index = new ClusterIndex(() => connection.informers, {
    now: () => clock.now(),
    endpoints: !settings.noEndpoints,
    pods: settings.pods === "verified",
    labels: settings.labels,
    namespaceLabels: settings.namespaceLabels,
  });
  // Where the server really listens: the Service that has it as an endpoint is the one to name.
  const localAddresses = () => {
    const hosts = block.configuration.hosts();
    return hosts.length > 0 ? hosts : source.localAddresses;
  };
  const { ttl, pods, namespaces, endpointPodNames, ignoreEmptyService, zonal } = settings;
  const lookupZones = zones.map((origin): LookupZone => ({
    origin,
    primary,
    ttl,
    pods,
    namespaces,
    endpointPodNames,
    ignoreEmptyService,
    zonal,
    get localAddresses() {
      return localAddresses();
    },
  }));
  const zoneAt = (name: string) => lookupZones.find(({ origin }) => origin === name);
  const hostSearch = machineSearch(block.environment.sources);
  return {
    handlers: [
      kubernetesHandler({ index: index.index, zones: lookupZones, fallthrough: settings.fallthrough, synced: () => index.synced }),
    ],
    async start() {
      await connection.start();
      index.start();
    },
    async stop() {
      index.stop();
      await connection.stop();
    },
    ready: () =>
      index.synced ? ({ ready: true } as const) : ({ ready: false, reason: "the cluster's Services have not been read yet" } as const),
    zones: {
      origins: () => zones,
      records(origin: string) {
        const zone = zoneAt(origin);
        return zone === undefined || !index.synced ? undefined : wholeZone(index.index, zone);
      },
    },
    labels: queryLabels(index.index, lookupZones),
    searchPath: searchPath(index.index, primary, hostSearch),
    external: { index: index.index, namespaces, endpointPodNames, localAddresses, synced: () => index.synced },
  };
}

function connectionFor(reader: TokenReader, settings: Settings, source: KubernetesSource): ClusterConnection {
  const { kubeconfig, endpoint, tls } = settings;
  const named = kubeconfig !== undefined || endpoint !== undefined;
  if (!named && source.informers !== undefined)
    return { informers: source.informers, start: async () => undefined, stop: async () => undefined };
  if (source.connect === undefined) {
    throw reader.error(
      named
        ? "the cluster is given here: 'endpoint', 'tls' and 'kubeconfig' have no place in this Corefile"
        : "kubernetes needs a cluster, and there is none",
    );
  }
  const transform = leanTransform({
    labels: !selectsEverything(settings.labels) || !selectsEverything(settings.namespaceLabels),
    podNames: settings.endpointPodNames,
    zones: settings.zonal,
  });
  if (kubeconfig !== undefined) return source.connect({ kind: "kubeconfig", ...kubeconfig }, transform);
  return source.connect(endpoint === undefined ? undefined : { kind: "endpoint", url: endpoint, tls }, transform);
}
