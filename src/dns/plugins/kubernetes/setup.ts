/** The `kubernetes` directive: options as a table of small functions. */
import { isReverseName } from "../../../decide/dns/reverse.ts";
import type { LookupZone } from "../../../decide/dns/index.ts";
import type { InformerFactory } from "../../../client/informer.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { BlockContext, PluginEntry } from "../../plugin.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { kubernetesHandler } from "./handler.ts";
import { ClusterIndex } from "./index-feed.ts";

export interface KubernetesSource {
  readonly informers: InformerFactory;
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
};

/** CoreDNS's options that are not here: refused by name. */
const absent = [
  "endpoint",
  "tls",
  "kubeconfig",
  "labels",
  "namespace_labels",
  "multicluster",
  "transfer",
  "startup_timeout",
  "apiserver_qps",
  "apiserver_burst",
  "apiserver_max_inflight",
];

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
  };
  const zones = zonesOrBlock(reader.args(), block.zones);
  while (reader.nextInBlock()) {
    const option = options[reader.value];
    if (option !== undefined) option(reader, settings);
    else if (absent.includes(reader.value)) throw reader.error(`property '${reader.value}' of kubernetes is not supported here`);
    else throw reader.error(`unknown property '${reader.value}'`);
  }
  if (settings.zonal && settings.noEndpoints) throw reader.error("zonal requires the endpoint cache; remove noendpoints");
  const primary = zones.find((zone) => !isReverseName(zone));
  if (primary === undefined) throw reader.error("non-reverse zone name must be used");
  const { clock } = block.environment;
  const index = new ClusterIndex(source.informers, {
    now: () => clock.now(),
    endpoints: !settings.noEndpoints,
    pods: settings.pods === "verified",
  });
  const lookupZones = zones.map((origin): LookupZone => ({
    origin,
    primary,
    ttl: settings.ttl,
    pods: settings.pods,
    namespaces: settings.namespaces,
    endpointPodNames: settings.endpointPodNames,
    ignoreEmptyService: settings.ignoreEmptyService,
    zonal: settings.zonal,
    // Where the server really listens: the Service that has it as an endpoint is the one to name.
    get localAddresses() {
      const hosts = block.configuration.hosts();
      return hosts.length > 0 ? hosts : source.localAddresses;
    },
  }));
  return {
    handlers: [
      kubernetesHandler({ index: index.index, zones: lookupZones, fallthrough: settings.fallthrough, synced: () => index.synced }),
    ],
    start: () => index.start(),
    stop: () => index.stop(),
    ready: () =>
      index.synced ? ({ ready: true } as const) : ({ ready: false, reason: "the cluster's Services have not been read yet" } as const),
  };
}
