/**
 * The configuration file of `fairlead up --config FILE`: `apiVersion: fairlead.dev/v1alpha1`, `kind: ClusterConfiguration`.
 * Each field is the default of the flag that it stands for; what the command line says goes before it. docs/cli/config.md
 * lists the fields, and a test holds the two together.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isMap, isSeq, LineCounter, parseDocument, type Node, type YAMLMap } from "yaml";
import { FairleadError, errorMessage } from "../../lib/errors.ts";
import { cidrOption, gracePeriodOption, nodeLabelsOption, nodesOption, portRangeOption, type NodeLabels } from "../options.ts";

/** A flag's name as commander has it → its value. */
export type ConfigValues = Readonly<Record<string, unknown>>;

interface Place {
  /** Where the file is: relative paths in it start there. */
  readonly directory: string;
}

interface Field {
  /** The flag whose default it is. */
  readonly flag: string;
  readonly what: string;
  /** Gives the flag's value; throws with what is wrong. */
  readonly read: (value: unknown, place: Place) => unknown;
}

const text = (value: unknown): string => {
  if (typeof value !== "string" || value === "") throw new Error("must be text");
  return value;
};
const oneOf =
  (...values: readonly string[]) =>
  (value: unknown) => {
    if (!values.includes(value as string)) throw new Error(`must be one of ${values.join(", ")}`);
    return value;
  };
const list = (value: unknown): readonly string[] => {
  if (!Array.isArray(value)) throw new Error("must be a list");
  return value.map(text);
};
const whole = (low: number, high: number) => (value: unknown) => {
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high)
    throw new Error(`must be a whole number from ${low} to ${high}`);
  return value;
};

/** Dotted path → field. */
export const configFields: Readonly<Record<string, Field>> = {
  name: { flag: "name", what: "the cluster's name", read: text },
  mode: { flag: "mode", what: "auto, namespaces or loopback", read: oneOf("auto", "namespaces", "loopback") },
  manifests: {
    flag: "filename",
    what: "files and directories to apply, relative to this file",
    read: (value, { directory }) => list(value).map((path) => resolve(directory, path)),
  },
  disable: { flag: "disable", what: "parts to leave out", read: list },
  logLevel: { flag: "logLevel", what: "error, warn, info or debug", read: oneOf("error", "warn", "info", "debug") },
  "console.port": { flag: "consolePort", what: "port of the web console on 127.0.0.1; 0: any", read: whole(0, 65535) },
  "apiServer.port": { flag: "apiPort", what: "port of the API server on 127.0.0.1; 0: any", read: whole(0, 65535) },
  "apiServer.auditPolicyFile": {
    flag: "auditPolicyFile",
    what: "which requests are written down: a Policy of audit.k8s.io/v1",
    read: (value, { directory }) => resolve(directory, text(value)),
  },
  "apiServer.auditLogPath": {
    flag: "auditLogPath",
    what: "where they are written down, as JSON lines",
    read: (value, { directory }) => resolve(directory, text(value)),
  },
  "networking.serviceSubnet": {
    flag: "serviceClusterIpRange",
    what: "addresses of Services, one range per family",
    read: (value) => cidrOption("serviceSubnet")(text(value)),
  },
  "networking.podSubnet": { flag: "podNetworkCidr", what: "addresses of pods", read: (value) => cidrOption("podSubnet")(text(value)) },
  "networking.nodePortRange": {
    flag: "serviceNodePortRange",
    what: "ports of NodePort Services",
    read: (value) => portRangeOption(text(value)),
  },
  "networking.nodeCIDRMaskSize": { flag: "nodeCidrMaskSize", what: "size of each node's part of the pods' IPv4 range", read: whole(8, 30) },
  "networking.proxyMode": {
    flag: "proxyMode",
    what: "nftables, iptables or ipvs (namespaces mode)",
    read: oneOf("nftables", "iptables", "ipvs"),
  },
  nodeMonitorGracePeriod: {
    flag: "nodeMonitorGracePeriod",
    what: "without a sign of life a node counts as gone after this: 5s",
    read: (value) => gracePeriodOption(text(value)),
  },
  gatewayThreads: { flag: "gatewayThreads", what: "threads that serve Ingresses and Gateways; 0: none of their own", read: whole(0, 64) },
  maxPods: { flag: "maxPods", what: "pods of each node", read: whole(1, 60_000) },
  imageSources: {
    flag: "imageSource",
    what: "where real images come from: `registry`, or layouts and archives relative to this file",
    read: (value, { directory }) => list(value).map((source) => (source === "registry" ? source : resolve(directory, source))),
  },
  "networking.dnsDomain": { flag: "clusterDomain", what: "the zone of Service names", read: text },
  "networking.clusterDNS": { flag: "clusterDns", what: "address of the Service kube-dns", read: text },
};

/** Throws FL_CONFIG with file, line and column. */
export function readConfig(file: string): ConfigValues {
  let source: string;
  try {
    source = readFileSync(file, "utf8");
  } catch (error) {
    throw new FairleadError("FL_CONFIG", `${file} cannot be read: ${errorMessage(error)}`, { cause: error });
  }
  return parseConfig(source, file);
}

export function parseConfig(source: string, file: string): ConfigValues {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const at = (offset: number | undefined) => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${file}:${line}:${col}`;
  };
  const [error] = document.errors;
  if (error !== undefined) throw new FairleadError("FL_CONFIG", `${at(error.pos[0])}: ${error.message.split("\n")[0]}`);
  const fail = (node: Node | null | undefined, message: string, hint?: string): never => {
    throw new FairleadError("FL_CONFIG", `${at(node?.range?.[0])}: ${message}`, hint === undefined ? {} : { hint });
  };
  const root = document.contents;
  if (!isMap(root)) return fail(root, "a configuration is a map", "It begins with: apiVersion: fairlead.dev/v1alpha1");
  const values: Record<string, unknown> = {};
  const read = (map: YAMLMap, prefix: string) => {
    for (const { key, value } of map.items as { key: Node; value: Node | null }[]) {
      const path = `${prefix}${String(key)}`;
      const plain = value === null ? null : (value.toJS(document) as unknown);
      if (path === "apiVersion" || path === "kind") expectHead(path, plain, (message, hint) => fail(value, message, hint));
      else if (path === "nodes")
        Object.assign(
          values,
          nodesOf(value, plain, (node, message) => fail(node, message)),
        );
      else if (isMap(value) && Object.keys(configFields).some((name) => name.startsWith(`${path}.`))) read(value, `${path}.`);
      else {
        const field = configFields[path];
        if (field === undefined)
          return fail(key, `unknown field ${JSON.stringify(path)}`, `Known: nodes, ${Object.keys(configFields).join(", ")}.`);
        try {
          values[field.flag] = field.read(plain, { directory: dirname(resolve(file)) });
        } catch (problem) {
          fail(value ?? key, `${path}: ${errorMessage(problem)}`);
        }
      }
    }
  };
  read(root, "");
  if (!root.has("apiVersion") || !root.has("kind"))
    fail(root, "apiVersion or kind is missing", "It begins with: apiVersion: fairlead.dev/v1alpha1, kind: ClusterConfiguration");
  return values;
}

const head: Readonly<Record<string, string>> = { apiVersion: "fairlead.dev/v1alpha1", kind: "ClusterConfiguration" };

function expectHead(path: string, value: unknown, fail: (message: string, hint: string) => void): void {
  if (value !== head[path]) fail(`${path}: ${JSON.stringify(value)} is not known`, `This version reads ${path}: ${head[path]}.`);
}

/** `nodes: 3`, or a list with a map of labels for each. */
function nodesOf(node: Node | null, value: unknown, fail: (node: Node | null, message: string) => never): ConfigValues {
  try {
    if (typeof value === "number") return { nodes: nodesOption(String(value)) };
    if (!isSeq(node) || !Array.isArray(value)) throw new Error("must be a number, or a list of nodes");
    const count = nodesOption(String(value.length));
    const labels = value.reduce<NodeLabels>((all, entry: unknown, index) => {
      const { labels: own = {}, ...rest } = (entry ?? {}) as { readonly labels?: Readonly<Record<string, string>> };
      const [stranger] = Object.keys(rest);
      if (stranger !== undefined) throw new Error(`[${index}]: unknown field ${JSON.stringify(stranger)}; a node has labels`);
      return Object.entries(own).reduce((sum, [key, text]) => nodeLabelsOption(`node-${index + 1}:${key}=${text}`, sum), all);
    }, {});
    return { nodes: count, nodeLabels: labels };
  } catch (problem) {
    return fail(node, `nodes: ${errorMessage(problem)}`);
  }
}
