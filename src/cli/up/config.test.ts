import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configFields, parseConfig } from "./config.ts";

const head = "apiVersion: fairlead.dev/v1alpha1\nkind: ClusterConfiguration\n";

test("every field becomes the default of its flag", () => {
  const source = `${head}name: dev
mode: loopback
manifests: [k8s, ../other.yaml]
disable: [dns]
nodes:
  - labels: { topology.kubernetes.io/zone: a }
  - {}
apiServer: { port: 0 }
networking:
  serviceSubnet: 10.0.0.0/16
  podSubnet: 10.1.0.0/16
  nodePortRange: 30000-30100
  dnsDomain: example.test
`;
  expect(parseConfig(source, "/etc/fairlead/up.yaml")).toEqual({
    name: "dev",
    mode: "loopback",
    filename: ["/etc/fairlead/k8s", "/etc/other.yaml"],
    disable: ["dns"],
    nodes: 2,
    nodeLabels: { "node-1": { "topology.kubernetes.io/zone": "a" } },
    apiPort: 0,
    serviceClusterIpRange: "10.0.0.0/16",
    podNetworkCidr: "10.1.0.0/16",
    serviceNodePortRange: "30000-30100",
    clusterDomain: "example.test",
  });
});

test.each<[string, string, string]>([
  ["a broken document", "a: [", "up.yaml:1:"],
  ["no head", "name: dev\n", "apiVersion or kind is missing"],
  [
    "another version",
    "apiVersion: fairlead.dev/v2\nkind: ClusterConfiguration\n",
    'up.yaml:1:13: apiVersion: "fairlead.dev/v2" is not known',
  ],
  ["an unknown field", `${head}nodez: 3\n`, 'up.yaml:3:1: unknown field "nodez"'],
  ["an unknown field below", `${head}networking: { subnet: 10.0.0.0/8 }\n`, 'up.yaml:3:15: unknown field "networking.subnet"'],
  ["a wrong value", `${head}networking:\n  podSubnet: ten\n`, "up.yaml:4:14: networking.podSubnet"],
  ["a wrong port", `${head}apiServer: { port: 70000 }\n`, "whole number from 0 to 65535"],
  ["too many nodes", `${head}nodes: 5001\n`, "nodes: "],
  ["a label that is none", `${head}nodes:\n  - labels: { "a b": c }\n`, "nodes: "],
  ["a list as document", "- a\n", "a configuration is a map"],
])("%s is refused where it stands", (_, source, message) => {
  expect(() => parseConfig(source, "up.yaml")).toThrow(message);
});

test("docs/cli/config.md names every field and its flag", () => {
  const documentation = readFileSync(join(import.meta.dirname, "../../../docs/cli/config.md"), "utf8");
  const flags = Object.entries(configFields).map(
    ([path, { flag, what }]) => `| \`${path}\` | \`--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}\` | ${what} |`,
  );
  for (const row of flags) expect(documentation).toContain(row);
});
