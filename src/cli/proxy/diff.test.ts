import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModeDiff } from "../../decide/proxy/diff/diff.ts";
import { nodeTraits, serviceTraits } from "../../decide/proxy/diff/traits.ts";

import { createTerminal } from "../terminal.ts";
import { diff, type DiffRequest } from "./diff.ts";
import { render, tracePacket } from "./proxy.ts";

const dump = `
apiVersion: v1
kind: Node
metadata: { name: node-1 }
spec: { podCIDRs: [10.244.1.0/24] }
status: { addresses: [{ type: InternalIP, address: 10.250.0.1 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { type: NodePort, clusterIP: 10.96.0.15, ports: [{ port: 80, nodePort: 30015 }] }
---
apiVersion: v1
kind: Service
metadata: { name: api, namespace: shop }
spec: { clusterIP: 10.96.0.16, ports: [{ port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
endpoints: [{ addresses: [10.244.1.2], nodeName: node-1 }, { addresses: [10.244.2.2], nodeName: node-2 }]
ports: [{ port: 8080 }]
`;

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-diff-"));
  writeFileSync(join(directory, "dump.yaml"), dump);
});
afterAll(() => rmSync(directory, { recursive: true }));

const common = () => ({ name: "default", files: [join(directory, "dump.yaml")], masqueradeAll: false }) as const;

async function run(work: (terminal: ReturnType<typeof createTerminal>) => Promise<number>): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const out = { write: (text: string) => lines.push(text) > 0, isTTY: false } as unknown as NodeJS.WriteStream;
  const code = await work(createTerminal({ out, err: out, env: {} }));
  return { code, text: lines.join("") };
}

const ask = (more: Partial<DiffRequest> = {}) =>
  run((terminal) => diff({ ...common(), output: "text", from: "ipvs", to: "nftables", ipvsScheduler: "rr", ...more }, terminal));

describe("diff", () => {
  test("tells what is lost first, with both modes' answers, and exits with 1", async () => {
    const { code, text } = await ask({ ipvsScheduler: "sh" });
    expect(code).toBe(1);
    expect(text).toContain("From ipvs to nftables: 2 of 2 Services notice something, 2 lose something");
    expect(text).toContain("- NodePortAddresses");
    expect(text).toContain("a client address always gets the same endpoint, also without sessionAffinity");
    expect(text.indexOf("- Balancing")).toBeLessThan(text.lastIndexOf("+ IdleConnections"));
  });

  test("as JSON, and nothing between a mode and itself", async () => {
    const made = JSON.parse((await ask({ output: "json" })).text) as ModeDiff;
    expect(made.services.map(({ service }) => service)).toEqual(["shop/api", "shop/web"]);
    const same = await ask({ to: "ipvs", output: "json" });
    expect([same.code, JSON.parse(same.text)]).toMatchObject([0, { services: [], node: [], planned: 2 }]);
  });

  test("the documentation has every code", () => {
    const text = readFileSync(join(import.meta.dirname, "../../../docs/cli/proxy.md"), "utf8");
    for (const code of [...Object.keys(serviceTraits), ...Object.keys(nodeTraits)]) expect(text).toContain(`\`${code}\``);
  });
});

test("ipvs is rendered as text and as JSON, kernelspace as JSON", async () => {
  const text = (
    await run((terminal) => render({ ...common(), output: "text", mode: "ipvs", ipFamily: "4", ipvsScheduler: "wlc" }, terminal))
  ).text;
  expect(text).toContain("-A -t 10.96.0.15:80 -s wlc\n-a -t 10.96.0.15:80 -r 10.244.1.2:8080 -m -w 1\n");
  expect(text).toContain("add KUBE-NODE-PORT-TCP 30015\n");
  const json = await run((terminal) => render({ ...common(), output: "json", mode: "ipvs", ipFamily: "4" }, terminal));
  expect(JSON.parse(json.text)).toMatchObject([{ kind: "ipvs", family: 4, sets: { "KUBE-IPVS-IPS": ["10.96.0.15", "10.96.0.16"] } }]);
  const windows = await run((terminal) =>
    render({ ...common(), output: "text", mode: "kernelspace", ipFamily: undefined, sourceVip: "10.244.1.254" }, terminal),
  );
  expect(JSON.parse(windows.text)).toMatchObject({ kind: "kernelspace", notes: [{ servicePort: "shop/api", code: "NoEndpoints" }] });
});

test("a packet is traced through ipvs mode's tables", async () => {
  const request = { ...common(), output: "json", mode: "ipvs", from: "10.244.1.9", protocol: "tcp" } as const;
  const served = await run((terminal) => tracePacket({ ...request, to: "10.96.0.15:80" }, terminal));
  expect([served.code, JSON.parse(served.text)]).toMatchObject([
    0,
    { trace: { kind: "dnat", endpoints: [{ ip: "10.244.1.2" }, { ip: "10.244.2.2" }] } },
  ]);
  const refused = await run((terminal) => tracePacket({ ...request, to: "10.96.0.16:80" }, terminal));
  expect([refused.code, JSON.parse(refused.text)]).toMatchObject([1, { trace: { kind: "reject" } }]);
});
