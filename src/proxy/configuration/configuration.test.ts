import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { configurationObject, readConfiguration } from "./file.ts";
import { flagsText, parseCommandLine } from "./flags.ts";
import { fields, type FieldValue } from "./fields.ts";
import { settingsOf } from "./settings.ts";

const settings = (...words: string[]) => settingsOf(parseCommandLine(words).values);
const file = (text: string) =>
  readConfiguration(`apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n${text}`, "config.yaml");

describe("defaults", () => {
  test("are kube-proxy's", () => {
    expect(settings()).toMatchObject({
      mode: "iptables",
      healthz: { host: "0.0.0.0", port: 10_256 },
      metrics: { host: "127.0.0.1", port: 10_249 },
      masqueradeBit: 14,
      masqueradeAll: false,
      localhostNodePorts: true,
      syncPeriodMs: 30_000,
      minSyncPeriodMs: 1000,
      detectLocal: { kind: "ClusterCIDR", cidrs: [] },
      nodePortAddresses: [],
      oomScoreAdj: -999,
      conntrack: { maxPerCore: 32_768, min: 131_072, tcpEstablishedMs: 86_400_000, tcpCloseWaitMs: 3_600_000 },
    });
  });

  test("mode nftables opens NodePorts on the primary addresses, and syncs at once", () => {
    expect(settings("--proxy-mode=nftables")).toMatchObject({ nodePortAddresses: ["primary"], minSyncPeriodMs: 0 });
  });

  test("an IPv6 bind address moves the servers", () => {
    expect(settings("--bind-address", "fd00::1")).toMatchObject({
      bindAddress: "fd00::1",
      healthz: { host: "::", port: 10_256 },
      metrics: { host: "::1", port: 10_249 },
    });
  });
});

describe("flags", () => {
  test("in all of pflag's forms", () => {
    const { program, values } = parseCommandLine([
      "--masquerade-all",
      "--iptables-localhost-nodeports=false",
      "--cluster-cidr",
      "10.244.0.0/16",
      "-v4",
      "--cleanup",
    ]);
    expect(program).toMatchObject({ verbosity: 4, cleanup: true });
    expect(settingsOf(values)).toMatchObject({
      masqueradeAll: true,
      localhostNodePorts: false,
      detectLocal: { kind: "ClusterCIDR", cidrs: ["10.244.0.0/16"] },
    });
    expect(parseCommandLine(["-v=2"]).program.verbosity).toBe(2);
    expect(parseCommandLine(["-v", "6"]).program.verbosity).toBe(6);
  });

  test("of iptables count for nftables, not for ipvs, as upstream", () => {
    const words = ["--iptables-sync-period=2s", "--iptables-min-sync-period=10ms", "--masquerade-all"];
    expect(settings("--proxy-mode=nftables", ...words)).toMatchObject({ syncPeriodMs: 2000, minSyncPeriodMs: 10, masqueradeAll: true });
    expect(settings("--proxy-mode=ipvs", ...words)).toMatchObject({ syncPeriodMs: 30_000, minSyncPeriodMs: 0 });
  });

  test("lists add up", () => {
    expect(settings("--nodeport-addresses=10.0.0.0/8,fd00::/8", "--nodeport-addresses", "192.0.2.0/24").nodePortAddresses).toEqual([
      "10.0.0.0/8",
      "fd00::/8",
      "192.0.2.0/24",
    ]);
  });

  test("an empty address is no server; deprecated ports warn", () => {
    expect(settings("--metrics-bind-address=").metrics).toBeUndefined();
    const { values, warnings } = parseCommandLine(["--healthz-port=0", "--metrics-port", "9999"]);
    expect(settingsOf(values)).toMatchObject({ healthz: undefined, metrics: { host: "127.0.0.1", port: 9999 } });
    expect(warnings).toEqual([
      expect.stringContaining("--healthz-port has been deprecated"),
      expect.stringContaining("--metrics-port has been deprecated"),
    ]);
  });

  test.each([
    [["--no-such-flag"], "unknown flag: --no-such-flag"],
    [["--proxy-mode"], "flag needs an argument: --proxy-mode"],
    [["--masquerade-all=perhaps"], '"perhaps" is no truth value'],
    [["--iptables-sync-period", "30"], '"30" is no duration'],
    [["run"], "takes no argument: run"],
    [["--feature-gates=A"], "is no list of NAME=true"],
  ])("%j is refused", (words, message) => {
    expect(() => parseCommandLine(words)).toThrow(message);
  });

  test.each([
    ["--proxy-mode=kernelspace", "'fairlead proxy render --mode kernelspace' prints"],
    ["--proxy-mode=fast", "one of iptables, ipvs, nftables, userspace"],
    ["--feature-gates=NoSuchGate=true", "unrecognized feature gate: NoSuchGate"],
    ["--feature-gates=MultiCIDRServiceAllocator=false", "cannot be switched off"],
    ["--iptables-masquerade-bit=32", "masqueradeBit must be from 0 to 31"],
    ["--iptables-sync-period=0", "syncPeriod must be greater than 0"],
    ["--cluster-cidr=10.0.0.0/8,11.0.0.0/8", "one CIDR of each family"],
    ["--nodeport-addresses=primary,10.0.0.0/8", "either primary or CIDRs"],
    ["--nodeport-addresses=node", "is no CIDR"],
    ["--detect-local-mode=Guess", "detectLocalMode"],
    ["--detect-local-mode=BridgeInterface", "is no name of an interface"],
    ["--healthz-bind-address=localhost:1", "wanted is IP:PORT"],
    ["--conntrack-min=-1", "conntrack.min must be from 0"],
  ])("%s is refused", (word, message) => {
    expect(() => settings(word)).toThrow(message);
  });

  test("every fault is named at once", () => {
    expect(() => settings("--oom-score-adj=2000", "--bind-address=here")).toThrow(/bindAddress.*oomScoreAdj/);
  });

  test("are all in the help, and in the documentation", () => {
    const docs = readFileSync(new URL("../../../docs/cli/proxy.md", import.meta.url), "utf8");
    for (const flag of fields.flatMap(({ flags = [] }) => flags)) expect(flagsText()).toContain(`--${flag} `);
    expect(docs).toContain("fairlead proxy --kubeconfig");
  });
});

/**
 * Every field of a KubeProxyConfiguration of 1.36 (k8s.io/kube-proxy/config/v1alpha1 types.go, with component-base's
 * ClientConnectionConfiguration), and for those that count here a value that is not the default.
 */
const upstreamFields: Readonly<Record<string, FieldValue | undefined>> = {
  featureGates: { WatchList: true },
  "clientConnection.kubeconfig": "/else",
  "clientConnection.acceptContentTypes": undefined,
  "clientConnection.contentType": undefined,
  "clientConnection.qps": undefined,
  "clientConnection.burst": undefined,
  hostnameOverride: "node-9",
  bindAddress: "192.0.2.1",
  healthzBindAddress: "127.0.0.1:9",
  metricsBindAddress: "127.0.0.1:9",
  bindAddressHardFail: true,
  enableProfiling: undefined,
  showHiddenMetricsForVersion: undefined,
  mode: "ipvs",
  "iptables.masqueradeBit": 9,
  "iptables.masqueradeAll": true,
  "iptables.localhostNodePorts": false,
  "iptables.syncPeriod": 9000,
  "iptables.minSyncPeriod": 9,
  "ipvs.syncPeriod": 9000,
  "ipvs.minSyncPeriod": 9,
  "ipvs.scheduler": "sh",
  "ipvs.excludeCIDRs": ["10.9.0.0/16"],
  "ipvs.strictARP": true,
  "ipvs.tcpTimeout": 9000,
  "ipvs.tcpFinTimeout": 9000,
  "ipvs.udpTimeout": 9000,
  "nftables.masqueradeBit": undefined,
  "nftables.masqueradeAll": true,
  "nftables.syncPeriod": 9000,
  "nftables.minSyncPeriod": 9,
  "winkernel.networkName": undefined,
  "winkernel.sourceVip": undefined,
  "winkernel.enableDSR": undefined,
  "winkernel.rootHnsEndpointName": undefined,
  "winkernel.forwardHealthCheckVip": undefined,
  detectLocalMode: "NodeCIDR",
  "detectLocal.bridgeInterface": "cni0",
  "detectLocal.interfaceNamePrefix": "veth",
  clusterCIDR: "10.9.0.0/16",
  nodePortAddresses: ["10.9.0.0/16"],
  oomScoreAdj: 9,
  "conntrack.maxPerCore": 9,
  "conntrack.min": 9,
  "conntrack.tcpEstablishedTimeout": 9000,
  "conntrack.tcpCloseWaitTimeout": 9000,
  "conntrack.tcpBeLiberal": true,
  "conntrack.udpTimeout": 9000,
  "conntrack.udpStreamTimeout": 9000,
  configSyncPeriod: undefined,
  portRange: undefined,
  windowsRunAsService: undefined,
};

/** What else must be so that a field counts. */
const circumstances: Readonly<Record<string, Readonly<Record<string, FieldValue>>>> = {
  "ipvs.syncPeriod": { mode: "ipvs" },
  "ipvs.minSyncPeriod": { mode: "ipvs" },
  "nftables.masqueradeAll": { mode: "nftables" },
  "nftables.syncPeriod": { mode: "nftables" },
  "nftables.minSyncPeriod": { mode: "nftables" },
  "detectLocal.bridgeInterface": { detectLocalMode: "BridgeInterface", "detectLocal.bridgeInterface": "br0" },
  "detectLocal.interfaceNamePrefix": { detectLocalMode: "InterfaceNamePrefix", "detectLocal.interfaceNamePrefix": "cali" },
};

describe("kube-proxy's fields", () => {
  test("are all there, and no others", () => {
    expect(fields.map(({ path }) => path).sort()).toEqual(Object.keys(upstreamFields).sort());
  });

  test.each(Object.entries(upstreamFields))("%s counts, or says why it does not", (path, other) => {
    const { noEffect } = fields.find((one) => one.path === path) ?? {};
    expect(noEffect === undefined).toBe(other !== undefined);
    if (other === undefined) return;
    const usual = new Map(Object.entries(circumstances[path] ?? {}));
    expect(settingsOf(new Map([...usual, [path, other]]))).not.toEqual(settingsOf(usual));
  });
});

describe("a configuration file", () => {
  test("of kubeadm", () => {
    const { values, warnings } = file(`
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection: { acceptContentTypes: "", burst: 0, contentType: "", kubeconfig: /var/lib/kube-proxy/kubeconfig.conf, qps: 0 }
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack: { maxPerCore: null, min: null, tcpBeLiberal: false, tcpCloseWaitTimeout: null, tcpEstablishedTimeout: null, udpStreamTimeout: 0s, udpTimeout: 0s }
detectLocal: { bridgeInterface: "", interfaceNamePrefix: "" }
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables: { localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s }
ipvs: { excludeCIDRs: null, minSyncPeriod: 0s, scheduler: "", strictARP: false, syncPeriod: 0s, tcpFinTimeout: 0s, tcpTimeout: 0s, udpTimeout: 0s }
logging: { flushFrequency: 0, options: { json: { infoBufferSize: "0" } }, verbosity: 0 }
metricsBindAddress: ""
mode: ""
nftables: { masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s }
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel: { enableDSR: false, forwardHealthCheckVip: false, networkName: "", rootHnsEndpointName: "", sourceVip: "" }
`);
    expect(warnings).toEqual([]);
    expect(settingsOf(values)).toEqual({ ...settings("--cluster-cidr=10.244.0.0/16", "--kubeconfig=/var/lib/kube-proxy/kubeconfig.conf") });
  });

  test("an unknown field is named and left out, a wrong type refused", () => {
    expect(file("mode: nftables\nmodus: fast\nipvs: { schedule: rr }").warnings).toEqual([
      'unknown field "modus"',
      'unknown field "ipvs.schedule"',
    ]);
    expect(() => file("mode: [nftables]")).toThrow('config.yaml: mode: ["nftables"] is no text');
    expect(() => file("conntrack: 5")).toThrow("conntrack is no object");
    expect(() => readConfiguration("kind: KubeProxyConfiguration", "f")).toThrow("kubeproxy.config.k8s.io/v1alpha1");
    expect(() => readConfiguration("a: [", "f")).toThrow(/^f: /);
  });

  test("what is written is read as the same", () => {
    const { values } = parseCommandLine([
      "--proxy-mode=ipvs",
      "--ipvs-scheduler=lc",
      "--conntrack-udp-timeout=90s",
      "--feature-gates=WatchList=true",
    ]);
    const written = readConfiguration(JSON.stringify(configurationObject(values)), "written");
    expect(written.warnings).toEqual([]);
    expect(settingsOf(written.values)).toEqual(settingsOf(values));
  });
});
