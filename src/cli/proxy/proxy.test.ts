import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FairleadError } from "../../lib/errors.ts";
import { plan, render, tracePacket, type ProxyOptions, type TraceRequest } from "./proxy.ts";
import { createTerminal } from "../terminal.ts";
import { planOf } from "./plan-file.ts";

/** As `kubectl get -A svc,endpointslices,nodes -o yaml` prints it. */
const dump = `
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Node
    metadata: { name: node-1 }
    spec: { podCIDRs: [10.244.1.0/24] }
    status: { addresses: [{ type: InternalIP, address: 10.250.0.1 }, { type: Hostname, address: node-1 }] }
  - apiVersion: v1
    kind: Node
    metadata: { name: node-2 }
    spec: { podCIDR: 10.244.2.0/24 }
    status: { addresses: [{ type: InternalIP, address: 10.250.0.2 }] }
  - apiVersion: networking.k8s.io/v1
    kind: ServiceCIDR
    metadata: { name: kubernetes }
    spec: { cidrs: [10.96.0.0/12] }
  - apiVersion: v1
    kind: Service
    metadata: { name: web, namespace: shop }
    spec:
      type: NodePort
      clusterIP: 10.96.0.15
      externalTrafficPolicy: Local
      ports: [{ name: http, port: 80, nodePort: 30015 }]
  - apiVersion: v1
    kind: Service
    metadata: { name: peers, namespace: shop }
    spec: { clusterIP: None, ports: [{ port: 80 }] }
  - apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
    addressType: IPv4
    endpoints:
      - { addresses: [10.244.1.2], nodeName: node-1, targetRef: { kind: Pod, namespace: shop, name: web-a } }
      - { addresses: [10.244.2.2], nodeName: node-2 }
      - { addresses: [10.244.2.3], nodeName: node-2, conditions: { ready: false } }
    ports: [{ name: http, port: 8080 }]
`;

let directory = "";
let file = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-proxy-"));
  file = written("dump.yaml", dump);
});
afterAll(() => rmSync(directory, { recursive: true }));

function written(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const options = (more: Partial<ProxyOptions> = {}): ProxyOptions => ({
  name: "default",
  files: [file],
  output: "text",
  masqueradeAll: false,
  ...more,
});
const request = (more: Partial<TraceRequest>): TraceRequest => ({
  ...options(),
  from: "10.244.2.9",
  to: "10.96.0.15:80",
  protocol: "tcp",
  mode: "plan",
  ...more,
});

/** Runs a verb → exit code, standard output, standard error. */
async function told(verb: (terminal: ReturnType<typeof createTerminal>) => Promise<number>) {
  const [out, err]: [string[], string[]] = [[], []];
  const stream = (into: string[]) =>
    ({ isTTY: false, columns: 80, write: (text: string) => into.push(text) > 0 }) as unknown as NodeJS.WriteStream;
  const code = await verb(createTerminal({ out: stream(out), err: stream(err), env: {} }));
  return { code, out: out.join(""), err: err.join("") };
}

describe("plan", () => {
  test("says where a Service can be reached, who answers, who does not and why", async () => {
    const { code, out } = await told((terminal) => plan(options(), terminal));
    expect(code).toBe(0);
    expect(out).toContain("Node node-1  addresses 10.250.0.1  pods 10.244.1.0/24");
    expect(out).toMatch(
      /node port +10\.250\.0\.1:30015 +pod: every endpoint; node: every endpoint, masqueraded; external: endpoints of this node/,
    );
    expect(out).toMatch(/✓ +10\.244\.1\.2:8080 +Pod shop\/web-a +node-1 \(this node\)/);
    expect(out).toMatch(/✗ +10\.244\.2\.3:8080 +NotReady: the endpoint is not ready/);
    expect(out).toContain("shop/peers  Headless:");
  });

  test("in JSON it can be read back, and is traced as the dump is", async () => {
    const json = (await told((terminal) => plan(options({ output: "json" }), terminal))).out;
    const saved = written("plan.json", json);
    const of = (files: readonly string[]) =>
      told((terminal) => tracePacket(request({ files, from: "203.0.113.1", to: "10.250.0.1:30015" }), terminal));
    expect(await of([saved])).toEqual(await of([file]));
  });

  test("another node's, with other ranges", async () => {
    const { out } = await told((terminal) =>
      plan(options({ node: "node-2", clusterCidr: ["10.0.0.0/8"], nodeportAddresses: ["192.0.2.0/24"] }), terminal),
    );
    expect(out).toContain("Node node-2  addresses 10.250.0.2  pods 10.0.0.0/8");
    expect(out).not.toContain("node port");
  });
});

describe("trace", () => {
  test.each(["plan", "nftables", "iptables"] as const)("mode %s: a pod's packet, on the pod's own node", async (mode) => {
    const { code, out } = await told((terminal) => tracePacket(request({ mode }), terminal));
    expect(code).toBe(0);
    expect(out).toContain("10.244.2.9 → 10.96.0.15:80/TCP on node-2\nshop/web:http, cluster IP, one of 2 endpoints");
    if (mode === "iptables")
      expect(out).toMatch(/50\.0 % +10\.244\.2\.2:8080 +sees the client's address +KUBE-SERVICES → KUBE-SVC-\w{16} → KUBE-SEP-\w{16}\n/);
  });

  test.each([
    ["nftables", "10.96.0.15:81", "reject"],
    ["nftables", "10.97.0.1:80", "drop"],
    // kube-proxy's iptables mode knows no range of Services.
    ["iptables", "10.96.0.15:81", "none"],
  ] as const)("mode %s: %s", async (mode, to, kind) => {
    const { code, out } = await told((terminal) => tracePacket(request({ mode, to, output: "json" }), terminal));
    expect(code).toBe(1);
    const answer = JSON.parse(out) as { trace: { kind: string }; decided: { kind: string } };
    expect([answer.trace.kind, answer.decided.kind]).toEqual([kind, kind]);
  });

  test.each([
    { to: "web:80" },
    { to: "10.96.0.15" },
    { to: "10.96.0.15:99999" },
    { from: "fd00::1" },
    { from: "a pod" },
    { protocol: "icmp" },
    { node: "node-9" },
  ])("refused: %o", async (wrong) => {
    await expect(told((terminal) => tracePacket(request(wrong), terminal))).rejects.toMatchObject({ code: "FL_USAGE" });
  });
});

describe("render", () => {
  test("iptables, one family for iptables-restore", async () => {
    const { out } = await told((terminal) => render({ ...options(), mode: "iptables", ipFamily: "4" }, terminal));
    expect(out).toMatch(/^# iptables-restore --noflush\n\*filter\n/);
    expect(out.match(/^COMMIT$/gm)).toHaveLength(2);
    expect(out).toContain("-A KUBE-NODEPORTS -m comment --comment shop/web:http -m tcp -p tcp --dport 30015 -j KUBE-EXT-");
  });

  test("iptables as data", async () => {
    const { out } = await told((terminal) => render({ ...options({ output: "json" }), mode: "iptables", ipFamily: undefined }, terminal));
    expect((JSON.parse(out) as { family: number }[]).map(({ family }) => family)).toEqual([4, 6]);
  });

  test("nftables", async () => {
    const { out } = await told((terminal) => render({ ...options(), mode: "nftables", ipFamily: undefined }, terminal));
    expect(out).toContain("table ip fairlead {");
    const json = told((terminal) => render({ ...options({ output: "json" }), mode: "nftables", ipFamily: undefined }, terminal));
    await expect(json).rejects.toMatchObject({ code: "FL_UNSUPPORTED" });
  });
});

describe("input", () => {
  test("without nodes it says what is left out", async () => {
    const alone = written(
      "service.yaml",
      "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { clusterIP: 10.96.0.1, ports: [{ port: 80 }] }\n",
    );
    const { out, err } = await told((terminal) => plan(options({ files: [alone] }), terminal));
    expect(err).toContain("no Node in the input");
    expect(out).toMatch(/default\/web 80\/TCP\n +cluster IP +10\.96\.0\.1:80 +refused \(NoEndpoints\)/);
  });

  test.each([
    ["endpoints", "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: a }\naddressType: IPv4\nendpoints: [{}]\n"],
    ["ports", "apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { ports: 80 }\n"],
    ["yaml", "kind: ["],
  ])("damaged %s: refused with the place", async (name, text) => {
    const broken = told((terminal) => plan(options({ files: [written(`${name}.yaml`, text)] }), terminal));
    await expect(broken).rejects.toSatisfy(
      (error) => error instanceof FairleadError && error.code === "FL_MANIFEST" && error.message.includes(`${name}.yaml:`),
    );
  });

  test("a damaged plan is refused, whichever field is gone", async () => {
    const json = (await told((terminal) => plan(options({ output: "json" }), terminal))).out;
    expect(planOf(json, "x")).toEqual(JSON.parse(json));
    for (const path of [
      "node.name",
      "services.1.ports.0.addresses.0.verdicts.pod",
      "services.1.ports.0.endpoints.0.cluster.0.ip",
      "services.1.ports.0.protocol",
    ]) {
      const damaged = JSON.parse(json) as Record<string, unknown>;
      const keys = path.split(".");
      const last = keys.pop() as string;
      delete keys.reduce((value, key) => value[key] as Record<string, unknown>, damaged)[last];
      expect(() => planOf(JSON.stringify(damaged), "x"), path).toThrow(FairleadError);
    }
    expect(planOf("{ no json", "x")).toBeUndefined();
  });
});
