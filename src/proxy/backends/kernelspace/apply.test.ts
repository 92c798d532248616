import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../api/types.ts";
import { planService } from "../../../decide/proxy/index.ts";
import { node } from "../../../decide/proxy/render/arbitrary.cases.ts";
import { renderKernelspace } from "../../../decide/proxy/render/kernelspace/render.ts";
import { fakeHcn } from "../../../host/hcn/fake.ts";
import { guidBytes, openHcn } from "../../../host/hcn/hcn.ts";
import { applyKernelspace } from "./apply.ts";

const network = "11111111-0000-4000-8000-000000000001";
const localPod = "22222222-0000-4000-8000-000000000002";

function rendered(port: number, endpoints: readonly (readonly [string, string])[]) {
  const service = { metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.9", ports: [{ port }] } } as Service;
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: endpoints.map(([ip, nodeName]) => ({ addresses: [ip], nodeName, conditions: { ready: true } })),
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
  };
  return renderKernelspace([planService(service, [slice], node)]);
}

function start() {
  const hcn = fakeHcn({ [network]: { Name: "pods" } });
  // As the CNI plugin makes it.
  hcn.create("Endpoint", localPod, { IpConfigurations: [{ IpAddress: "10.244.1.2", PrefixLength: 24 }] }, network);
  const foreign = "33333333-0000-4000-8000-000000000003";
  hcn.create("LoadBalancer", foreign, { HostComputeEndpoints: [localPod], FrontendVIPs: ["10.9.9.9"], PortMappings: [] });
  return { hcn, foreign };
}

const two = [
  ["10.244.1.2", "node-1"],
  ["10.244.2.7", "node-2"],
] as const;

test("policies name endpoints by HNS's ids; a second run changes nothing; what is wanted no more goes, and others' stays", () => {
  const { hcn, foreign } = start();
  const want = rendered(80, two);
  expect(applyKernelspace(hcn, "pods", want)).toEqual({ operations: 2, waiting: [] });
  const [, [, policy] = []] = [...hcn.objects.LoadBalancer];
  const remote = hcn.list("Endpoint").find((id) => id !== localPod);
  expect(policy).toMatchObject({ HostComputeEndpoints: [localPod, remote], FrontendVIPs: ["10.96.0.9"] });
  expect(applyKernelspace(hcn, "pods", want).operations).toBe(0);
  // The same address and port with other endpoints is another policy, in the place of the first.
  applyKernelspace(hcn, "pods", rendered(80, two.slice(0, 1)));
  expect(hcn.list("Endpoint")).toEqual([localPod]);
  expect([...hcn.objects.LoadBalancer.values()].at(-1)).toMatchObject({ HostComputeEndpoints: [localPod] });
  applyKernelspace(hcn, "pods", renderKernelspace([]));
  expect(hcn.list("LoadBalancer")).toEqual([foreign]);
});

test("a pod here that HNS does not know yet is waited for, and the others serve", () => {
  const { hcn } = start();
  hcn.objects.Endpoint.delete(localPod);
  hcn.objects.LoadBalancer.clear();
  expect(applyKernelspace(hcn, "pods", rendered(80, two)).waiting).toEqual(["shop/web"]);
  expect([...hcn.objects.LoadBalancer.values()][0]?.["HostComputeEndpoints"]).toHaveLength(1);
});

test("a network that is not there is named", () => {
  expect(() => applyKernelspace(start().hcn, "other", renderKernelspace([]))).toThrow("HNS has no network other");
});

test("elsewhere than on Windows it is refused; a GUID's bytes are in Windows' order", () => {
  expect(() => openHcn("linux")).toThrow("HNS is of Windows, this is linux");
  expect(Buffer.from(guidBytes("{00112233-4455-6677-8899-aabbccddeeff}")).toString("hex")).toBe("33221100554477668899aabbccddeeff");
  expect(() => guidBytes("0011")).toThrow("no GUID");
});
