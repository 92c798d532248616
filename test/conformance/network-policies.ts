/** test/e2e/network/netpol: not among the conformance tests, since a cluster need not enforce NetworkPolicies. The essence of its cases in one. */
import { expect } from "vitest";
import type { Json } from "./api.ts";
import type { Case, Framework } from "./framework.ts";
import { agnhostPod, container, podOf } from "./pods.ts";

const port = 8083;

async function applyPolicy(f: Framework, name: string, spec: Json): Promise<void> {
  await f.api.create(`/apis/networking.k8s.io/v1/namespaces/${f.namespace}/networkpolicies`, { metadata: { name }, spec });
}

/** What the server says, or with which code curl ends: 7 is a refused connection, 6 a name that is not found. */
const asks = (host: string, to: number) => `curl -s -m 5 http://${host}:${to}/hostname || echo " $?"`;

const enforced: Case = async (f) => {
  const probe = { httpGet: { path: "/healthz", port: "http" }, timeoutSeconds: 30, periodSeconds: 1, failureThreshold: 3 };
  const ports = [{ name: "http", containerPort: port }];
  const main = container("server", ["netexec", `--http-port=${port}`], { ports, readinessProbe: probe });
  const [nearby = "", elsewhere = ""] = (await f.nodes()).map(({ metadata }) => metadata.name as string);
  const on = (node: string) => ({ nodeSelector: { "kubernetes.io/hostname": node } });
  const [server] = await Promise.all([
    f.createReadyPod(podOf("server", [main], on(nearby), { app: "server" })),
    f.createReadyPod(agnhostPod("stranger", ["pause"], on(nearby))),
    f.createReadyPod(agnhostPod("friend", ["pause"], on(elsewhere), { friend: "yes" })),
  ]);
  await f.api.create(f.core("services"), {
    metadata: { name: "web" },
    spec: { selector: { app: "server" }, ports: [{ port: 80, targetPort: "http" }] },
  });
  const hears = (pod: string, host: string, to: number, text: string) =>
    f.hostCommandUntil(pod, asks(host, to), (output) => output.trim() === text);
  const address: string = server.status.podIP;
  await Promise.all([hears("stranger", address, port, "server"), hears("friend", "web", 80, "server")]);

  await applyPolicy(f, "default-deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  await Promise.all([hears("stranger", address, port, "7"), hears("friend", "web", 80, "6")]);

  const dns = {
    to: [{ namespaceSelector: {}, podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }],
    ports: [{ protocol: "UDP", port: 53 }],
  };
  await applyPolicy(f, "friend-out", {
    podSelector: { matchLabels: { friend: "yes" } },
    policyTypes: ["Egress"],
    egress: [dns, { to: [{ podSelector: { matchLabels: { app: "server" } } }] }],
  });
  await applyPolicy(f, "server-in", {
    podSelector: { matchLabels: { app: "server" } },
    ingress: [{ from: [{ podSelector: { matchLabels: { friend: "yes" } } }], ports: [{ port: "http" }] }],
  });
  await Promise.all([
    hears("friend", "web", 80, "server"),
    hears("friend", address, port, "server"),
    hears("stranger", address, port, "7"),
  ]);
  // The node's probes come through all the while.
  const { status } = await f.api.get(f.core("pods/server"));
  expect(status.conditions.find(({ type }: Json) => type === "Ready").status).toBe("True");
};

export const networkPolicyCases: Readonly<Record<string, Case>> = { "NetworkPolicies hold between pods, nodes and Services": enforced };
