/**
 * What the proxy runs by: the configuration checked, defaults filled in, the sections of the modes brought together (upstream
 * pkg/proxy/apis/config/{validation/validation.go,v1alpha1/conversion.go} and `platformApplyDefaults` in
 * cmd/kube-proxy/app/server_linux.go). Pure.
 */
import { FairleadError } from "../../lib/errors.ts";
import { parseCidr, parseIpSloppy } from "../../lib/ip.ts";
import { checkGates, type Gates } from "./feature-gates.ts";
import { fieldsByPath, type FieldValue } from "./fields.ts";
import type { Values } from "./values.ts";

export type ProxyMode = "iptables" | "ipvs" | "nftables" | "userspace";

/** Who is a pod: by its address, or by the interface from which its packets come. */
export type DetectLocal =
  | { readonly kind: "ClusterCIDR"; readonly cidrs: readonly string[] }
  | { readonly kind: "NodeCIDR" }
  | { readonly kind: "BridgeInterface"; readonly name: string }
  | { readonly kind: "InterfaceNamePrefix"; readonly prefix: string };

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface ConntrackSettings {
  readonly maxPerCore: number;
  readonly min: number;
  readonly tcpEstablishedMs: number;
  readonly tcpCloseWaitMs: number;
  readonly tcpBeLiberal: boolean;
  readonly udpMs: number;
  readonly udpStreamMs: number;
}

export interface IpvsSettings {
  readonly scheduler: string;
  readonly excludeCIDRs: readonly string[];
  readonly strictARP: boolean;
  readonly tcpTimeoutMs: number;
  readonly tcpFinTimeoutMs: number;
  readonly udpTimeoutMs: number;
}

export interface ProxySettings {
  readonly mode: ProxyMode;
  readonly gates: Gates;
  readonly kubeconfig: string;
  readonly hostnameOverride: string;
  /** Undefined: unspecified. */
  readonly bindAddress: string | undefined;
  readonly healthz: HostPort | undefined;
  readonly metrics: HostPort | undefined;
  readonly bindAddressHardFail: boolean;
  readonly masqueradeBit: number;
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  readonly syncPeriodMs: number;
  readonly minSyncPeriodMs: number;
  readonly detectLocal: DetectLocal;
  /** CIDRs, or `primary` alone; empty: all. */
  readonly nodePortAddresses: readonly string[];
  readonly oomScoreAdj: number;
  readonly conntrack: ConntrackSettings;
  readonly ipvs: IpvsSettings;
}

const modes: readonly ProxyMode[] = ["iptables", "ipvs", "nftables", "userspace"];
const detectModes = ["ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"] as const;

/** Throws FL_CONFIG with everything that is wrong. */
export function settingsOf(values: Values): ProxySettings {
  const wrong: string[] = [];
  const read = reader(values, wrong);
  const mode = (read.text("mode") || "iptables") as ProxyMode;
  if (!modes.includes(mode)) wrong.push(`mode ${JSON.stringify(mode)}: one of ${modes.join(", ")}${hintOf(mode)}`);
  // Mode ipvs keeps its masquerading in the section of iptables.
  const section = mode === "nftables" ? "nftables" : "iptables";
  const periods = mode === "ipvs" ? "ipvs" : section;
  const gates = checkGates(values.get("featureGates") as Gates | undefined, wrong);
  const syncPeriodMs = read.number(`${periods}.syncPeriod`);
  const minSyncPeriodMs = read.number(`${periods}.minSyncPeriod`);
  if (syncPeriodMs <= 0) wrong.push("syncPeriod must be greater than 0");
  if (minSyncPeriodMs < 0 || minSyncPeriodMs > syncPeriodMs) wrong.push("minSyncPeriod must be at least 0 and at most syncPeriod");
  const bind = read.text("bindAddress");
  if (parseIpSloppy(bind) === undefined) wrong.push(`bindAddress ${JSON.stringify(bind)} is no IP address`);
  const six = bind.includes(":");
  const settings: ProxySettings = {
    mode,
    gates,
    kubeconfig: read.text("clientConnection.kubeconfig"),
    hostnameOverride: read.text("hostnameOverride").trim().toLowerCase(),
    bindAddress: bind === "0.0.0.0" || bind === "::" ? undefined : bind,
    healthz: read.hostPort("healthzBindAddress", six ? "::" : "0.0.0.0", 10_256),
    metrics: read.hostPort("metricsBindAddress", six ? "::1" : "127.0.0.1", 10_249),
    bindAddressHardFail: read.truth("bindAddressHardFail"),
    masqueradeBit: read.between(`${section}.masqueradeBit`, 0, 31),
    masqueradeAll: read.truth(`${section}.masqueradeAll`),
    localhostNodePorts: read.truth("iptables.localhostNodePorts"),
    syncPeriodMs,
    minSyncPeriodMs,
    detectLocal: detectLocalOf(read, wrong),
    nodePortAddresses: nodePortAddressesOf(read.list("nodePortAddresses"), mode, wrong),
    oomScoreAdj: read.between("oomScoreAdj", -1000, 1000),
    conntrack: conntrackOf(read),
    ipvs: ipvsOf(read, wrong),
  };
  if (wrong.length > 0) throw new FairleadError("FL_CONFIG", `the proxy's configuration: ${wrong.join("; ")}`);
  return Object.freeze(settings);
}

/** The mode of Windows is named, as somebody may come from there. */
const hintOf = (mode: string) =>
  mode === "kernelspace"
    ? "; kernelspace needs Windows and its HNS, 'fairlead proxy render --mode kernelspace' prints what would be applied there"
    : "";

type Reader = ReturnType<typeof reader>;

function reader(values: Values, wrong: string[]) {
  const value = (path: string): FieldValue => values.get(path) ?? (fieldsByPath.get(path)?.default as FieldValue);
  const between = (path: string, least: number, most: number): number => {
    const number = value(path) as number;
    if (number < least || number > most) wrong.push(`${path} must be from ${least} to ${most}`);
    return number;
  };
  return {
    text: (path: string) => value(path) as string,
    number: (path: string) => value(path) as number,
    truth: (path: string) => value(path) as boolean,
    list: (path: string) => value(path) as readonly string[],
    between,
    notNegative: (path: string) => between(path, 0, Number.MAX_SAFE_INTEGER),
    hostPort(path: string, host: string, port: number): HostPort | undefined {
      const text = value(path) as string;
      if (text === "none") return undefined;
      if (text === "") return { host, port };
      const found = readHostPort(text, port);
      if (found === undefined) wrong.push(`${path} ${JSON.stringify(text)}: wanted is IP:PORT`);
      return found;
    },
  };
}

/** `IP:PORT`, `[IP]:PORT`, or the address alone (`AppendPortIfNeeded`). */
function readHostPort(text: string, standard: number): HostPort | undefined {
  const [, six, four, bare, digits] = /^(?:\[([^\]]*)\]|([^:]*)|(.*:.*:.*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const alone = parseIpSloppy(text) !== undefined;
  const host = alone ? text : (six ?? four ?? bare ?? "");
  const port = alone || digits === undefined ? standard : Number(digits);
  return parseIpSloppy(host) === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

function detectLocalOf(read: Reader, wrong: string[]): DetectLocal {
  const kind = (read.text("detectLocalMode") || "ClusterCIDR") as (typeof detectModes)[number];
  switch (kind) {
    case "ClusterCIDR": {
      const cidrs = read
        .text("clusterCIDR")
        .split(",")
        .map((one) => one.trim())
        .filter((one) => one !== "");
      const families = cidrs.map((text) => parseCidr(text)?.family);
      if (families.includes(undefined)) wrong.push(`clusterCIDR ${JSON.stringify(cidrs.join(","))} is no CIDR`);
      else if (cidrs.length > 2 || new Set(families).size < cidrs.length) wrong.push("clusterCIDR: one CIDR of each family at most");
      return { kind, cidrs };
    }
    case "NodeCIDR":
      return { kind };
    case "BridgeInterface":
      return { kind, name: interfaceName(read.text("detectLocal.bridgeInterface"), "detectLocal.bridgeInterface", wrong) };
    case "InterfaceNamePrefix":
      return { kind, prefix: interfaceName(read.text("detectLocal.interfaceNamePrefix"), "detectLocal.interfaceNamePrefix", wrong) };
    default:
      wrong.push(`detectLocalMode ${JSON.stringify(kind satisfies never)}: one of ${detectModes.join(", ")}`);
      return { kind: "NodeCIDR" };
  }
}

function interfaceName(text: string, path: string, wrong: string[]): string {
  // IFNAMSIZ, less the NUL; a blank or a slash no interface can have, and the others would mean something to iptables or nft.
  if (!/^[\w.@:-]{1,15}$/.test(text)) wrong.push(`${path} ${JSON.stringify(text)} is no name of an interface`);
  return text;
}

function nodePortAddressesOf(given: readonly string[], mode: ProxyMode, wrong: string[]): readonly string[] {
  if (given.length === 0) return mode === "nftables" ? ["primary"] : [];
  if (given.includes("primary")) {
    if (given.length > 1) wrong.push("nodePortAddresses: either primary or CIDRs");
    return ["primary"];
  }
  for (const text of given) if (parseCidr(text) === undefined) wrong.push(`nodePortAddresses ${JSON.stringify(text)} is no CIDR`);
  return given;
}

function conntrackOf(read: Reader): ConntrackSettings {
  return {
    maxPerCore: read.notNegative("conntrack.maxPerCore"),
    min: read.notNegative("conntrack.min"),
    tcpEstablishedMs: read.notNegative("conntrack.tcpEstablishedTimeout"),
    tcpCloseWaitMs: read.notNegative("conntrack.tcpCloseWaitTimeout"),
    tcpBeLiberal: read.truth("conntrack.tcpBeLiberal"),
    udpMs: read.notNegative("conntrack.udpTimeout"),
    udpStreamMs: read.notNegative("conntrack.udpStreamTimeout"),
  };
}

function ipvsOf(read: Reader, wrong: string[]): IpvsSettings {
  const excludeCIDRs = read.list("ipvs.excludeCIDRs");
  for (const text of excludeCIDRs) if (parseCidr(text) === undefined) wrong.push(`ipvs.excludeCIDRs ${JSON.stringify(text)} is no CIDR`);
  return {
    scheduler: read.text("ipvs.scheduler") || "rr",
    excludeCIDRs,
    strictARP: read.truth("ipvs.strictARP"),
    tcpTimeoutMs: read.notNegative("ipvs.tcpTimeout"),
    tcpFinTimeoutMs: read.notNegative("ipvs.tcpFinTimeout"),
    udpTimeoutMs: read.notNegative("ipvs.udpTimeout"),
  };
}
