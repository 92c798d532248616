/**
 * Everything that kube-proxy can be told, once: the name in a KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1), the flag,
 * the type and the default. Flags, files, `--write-config-to` and help are made from this table. Source: kubernetes
 * staging/src/k8s.io/kube-proxy/config/v1alpha1/types.go, pkg/proxy/apis/config/v1alpha1/defaults.go, cmd/kube-proxy/app/options.go (1.36).
 */

/** `duration`: milliseconds, written as Go does (`1h15m`). `gates`: `Name=true,…`. `list`: comma-separated. */
export type FieldType = "bool" | "int" | "number" | "string" | "duration" | "list" | "gates";

export type FieldValue = boolean | number | string | readonly string[] | Readonly<Record<string, boolean>>;

export interface Field {
  /** Where it is in the file, dotted. */
  readonly path: string;
  readonly type: FieldType;
  readonly default: FieldValue;
  /** The flags that set it; the first is the one to use. */
  readonly flags?: readonly string[];
  readonly help: string;
  /** It is read, and nothing follows from it here: why. */
  readonly noEffect?: string;
}

const field = (path: string, type: FieldType, standard: FieldValue, flag: string | undefined, help: string, noEffect?: string): Field => ({
  path,
  type,
  default: standard,
  ...(flag === undefined ? {} : { flags: [flag] }),
  help,
  ...(noEffect === undefined ? {} : { noEffect }),
});

const second = 1000;
const hour = 3_600_000;
const windows = "it is of Windows";
const json = "requests are JSON";
const unlimited = "one list and one watch per resource need no limit";

export const fields: readonly Field[] = [
  field("featureGates", "gates", {}, "feature-gates", "Name=true|false,…: gates of Kubernetes 1.36"),
  field("clientConnection.kubeconfig", "string", "", "kubeconfig", "the cluster (default: the pod's service account)"),
  field("clientConnection.acceptContentTypes", "string", "", undefined, "", json),
  field("clientConnection.contentType", "string", "application/vnd.kubernetes.protobuf", "kube-api-content-type", "", json),
  field("clientConnection.qps", "number", 5, "kube-api-qps", "", unlimited),
  field("clientConnection.burst", "int", 10, "kube-api-burst", "", unlimited),
  field("hostnameOverride", "string", "", "hostname-override", "the name of this node (default: the machine's host name)"),
  field(
    "bindAddress",
    "string",
    "0.0.0.0",
    "bind-address",
    "the node's primary address, where the Node object does not say it; nothing is bound to it",
  ),
  field("healthzBindAddress", "string", "", "healthz-bind-address", "where /healthz and /livez are served (default: 0.0.0.0:10256)"),
  field(
    "metricsBindAddress",
    "string",
    "",
    "metrics-bind-address",
    "where /metrics, /proxyMode and /configz are served (default: 127.0.0.1:10249)",
  ),
  field(
    "bindAddressHardFail",
    "bool",
    false,
    "bind-address-hard-fail",
    "end when one of these addresses cannot be bound, instead of trying again",
  ),
  field("enableProfiling", "bool", false, "profiling", "", "use node --inspect or --cpu-prof"),
  field("showHiddenMetricsForVersion", "string", "", "show-hidden-metrics-for-version", "", "no metric is hidden"),
  field("mode", "string", "", "proxy-mode", "iptables (default), nftables, ipvs, userspace"),
  field("iptables.masqueradeBit", "int", 14, "iptables-masquerade-bit", "bit of the packet's mark for what is masqueraded"),
  field("iptables.masqueradeAll", "bool", false, "masquerade-all", "masquerade all traffic to cluster IPs"),
  field(
    "iptables.localhostNodePorts",
    "bool",
    true,
    "iptables-localhost-nodeports",
    "let NodePorts be reached at 127.0.0.1 (mode iptables, IPv4)",
  ),
  field(
    "iptables.syncPeriod",
    "duration",
    30 * second,
    "iptables-sync-period",
    "how often it is looked whether the rules still stand (all modes but ipvs)",
  ),
  field(
    "iptables.minSyncPeriod",
    "duration",
    second,
    "iptables-min-sync-period",
    "least time between two syncs; 0: each change at once (all modes but ipvs)",
  ),
  field("ipvs.syncPeriod", "duration", 30 * second, "ipvs-sync-period", "the same for mode ipvs"),
  field("ipvs.minSyncPeriod", "duration", 0, "ipvs-min-sync-period", "the same for mode ipvs"),
  field("ipvs.scheduler", "string", "", "ipvs-scheduler", "rr (default), lc, dh, sh, sed, nq, wrr, wlc, lblc, …"),
  field("ipvs.excludeCIDRs", "list", [], "ipvs-exclude-cidrs", "virtual servers in these ranges are somebody else's"),
  field("ipvs.strictARP", "bool", false, "ipvs-strict-arp", "arp_ignore 1 and arp_announce 2"),
  field("ipvs.tcpTimeout", "duration", 0, "ipvs-tcp-timeout", "of idle TCP connections; 0: as it is"),
  field("ipvs.tcpFinTimeout", "duration", 0, "ipvs-tcpfin-timeout", "after a FIN; 0: as it is"),
  field("ipvs.udpTimeout", "duration", 0, "ipvs-udp-timeout", "of UDP; 0: as it is"),
  field("nftables.masqueradeBit", "int", 14, undefined, "", "bit 14 of the connection's mark, never the packet's"),
  field("nftables.masqueradeAll", "bool", false, undefined, "masquerade all traffic to cluster IPs"),
  field("nftables.syncPeriod", "duration", 30 * second, undefined, "how often it is looked whether the rules still stand"),
  field(
    "nftables.minSyncPeriod",
    "duration",
    0,
    undefined,
    "least time between two syncs (kube-proxy: 1s; here a sync costs what has changed)",
  ),
  field("winkernel.networkName", "string", "", undefined, "", windows),
  field("winkernel.sourceVip", "string", "", undefined, "", windows),
  field("winkernel.enableDSR", "bool", false, undefined, "", windows),
  field("winkernel.rootHnsEndpointName", "string", "", undefined, "", windows),
  field("winkernel.forwardHealthCheckVip", "bool", false, undefined, "", windows),
  field(
    "detectLocalMode",
    "string",
    "",
    "detect-local-mode",
    "ClusterCIDR (default), NodeCIDR, BridgeInterface, InterfaceNamePrefix: who is a pod",
  ),
  field("detectLocal.bridgeInterface", "string", "", "pod-bridge-interface", "pods are behind this bridge"),
  field(
    "detectLocal.interfaceNamePrefix",
    "string",
    "",
    "pod-interface-name-prefix",
    "pods are behind interfaces of which this is the beginning",
  ),
  field("clusterCIDR", "string", "", "cluster-cidr", "where pods are, of each family one"),
  field("nodePortAddresses", "list", [], "nodeport-addresses", "CIDRs, or primary (default: all of the node's; primary in mode nftables)"),
  field("oomScoreAdj", "int", -999, "oom-score-adj", "of this process"),
  field("conntrack.maxPerCore", "int", 32_768, "conntrack-max-per-core", "nf_conntrack_max per CPU; 0: as it is"),
  field("conntrack.min", "int", 131_072, "conntrack-min", "the least nf_conntrack_max"),
  field(
    "conntrack.tcpEstablishedTimeout",
    "duration",
    24 * hour,
    "conntrack-tcp-timeout-established",
    "of idle TCP connections; 0: as it is",
  ),
  field("conntrack.tcpCloseWaitTimeout", "duration", hour, "conntrack-tcp-timeout-close-wait", "in CLOSE_WAIT; 0: as it is"),
  field("conntrack.tcpBeLiberal", "bool", false, "conntrack-tcp-be-liberal", "do not call packets out of the window invalid"),
  field("conntrack.udpTimeout", "duration", 0, "conntrack-udp-timeout", "of UDP without an answer; 0: as it is"),
  field("conntrack.udpStreamTimeout", "duration", 0, "conntrack-udp-timeout-stream", "of UDP with answers; 0: as it is"),
  field("configSyncPeriod", "duration", 900 * second, "config-sync-period", "", "watches bring every change"),
  field("portRange", "string", "", undefined, "", "kube-proxy has not used it since 1.26"),
  field("windowsRunAsService", "bool", false, undefined, "", windows),
];

/** Flags of kube-proxy that count for mode nftables too (`processV1Alpha1Flags`). */
export const flagSetsAlso: Readonly<Record<string, string>> = {
  "iptables.syncPeriod": "nftables.syncPeriod",
  "iptables.minSyncPeriod": "nftables.minSyncPeriod",
  "iptables.masqueradeAll": "nftables.masqueradeAll",
};

export const fieldsByPath: ReadonlyMap<string, Field> = new Map(fields.map((one) => [one.path, one]));
