/** test/e2e/network/ingress.go, ingressclass.go and service_cidrs.go: kinds of networking.k8s.io. */
import { expect } from "vitest";
import { operates } from "./api-operations.ts";
import type { Case } from "./framework.ts";

const group = "networking.k8s.io";

const ingressOperations: Case = (f) =>
  operates(f, {
    group,
    resource: "ingresses",
    namespaced: true,
    object: (number) => ({
      metadata: { generateName: "e2e-example-ing", labels: { "special-label": f.uniqueName } },
      spec: {
        defaultBackend: { service: { name: "default-backend", port: { number: 8080 } } },
        rules: [
          {
            host: `host${number}.bar.com`,
            http: {
              paths: [
                { path: "/", pathType: "ImplementationSpecific", backend: { service: { name: "test-backend", port: { number: 8080 } } } },
              ],
            },
          },
        ],
      },
      status: { loadBalancer: {} },
    }),
    async subresources(path, created) {
      const status = (ip: string) => ({ loadBalancer: { ingress: [{ ip }] } });
      const patch = { metadata: { annotations: { patchedstatus: "true" } }, status: status("169.1.1.1") };
      const patched = await f.api.patch(`${path}/status`, "merge-patch", patch);
      expect([patched.status, patched.metadata.annotations.patchedstatus]).toEqual([status("169.1.1.1"), "true"]);
      const updated = await f.api.replace(`${path}/status`, { ...(await f.api.get(path)), status: status("169.1.1.2") });
      expect(updated.status).toEqual(status("169.1.1.2"));
      expect((await f.api.get(`${path}/status`)).metadata.uid).toBe(created.metadata.uid);
    },
  });

const ingressClassOperations: Case = (f) =>
  operates(f, {
    group,
    resource: "ingressclasses",
    namespaced: false,
    object: (number) => ({
      metadata: { name: `ingressclass${number}`, labels: { ingressclass: f.uniqueName, "special-label": f.uniqueName } },
      spec: { controller: "example.com/controller" },
    }),
  });

const serviceCidrOperations: Case = async ({ api }) => {
  const path = "/apis/networking.k8s.io/v1/servicecidrs";
  const found = await api.get(`${path}/kubernetes`);
  expect(await api.get(`${path}/kubernetes/status`)).toMatchObject({
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { uid: found.metadata.uid },
  });
  expect((await api.get(path)).items.length).toBeGreaterThan(0);
  (await api.watch(path)).stop();
};

const ipAddressOperations: Case = async ({ api }) => {
  const path = "/apis/networking.k8s.io/v1/ipaddresses";
  const address = (name: string, type: string) => ({
    metadata: { name, labels: { type } },
    spec: { parentRef: { group: "mygroup", resource: "myresources", namespace: "foo", name: "bar" } },
  });
  const created = await api.create(path, address("255.255.255.255", "broadcast"));
  await api.create(path, address("fe80::42:1dff:fe84:f9e2", "link-local"));
  const own = `${path}/255.255.255.255`;
  const patched = await api.patch(own, "merge-patch", { metadata: { annotations: { patched: "true" } } });
  expect(patched.metadata.annotations).toMatchObject({ patched: "true" });
  expect(BigInt(patched.metadata.resourceVersion)).toBeGreaterThan(BigInt(created.metadata.resourceVersion));
  const current = await api.get(own);
  current.metadata.annotations.updated = "true";
  expect((await api.replace(own, current)).metadata.annotations).toMatchObject({ updated: "true" });
  expect((await api.get(`${path}?labelSelector=type=broadcast`)).items).toHaveLength(1);
  (await api.watch(`${path}?labelSelector=type=broadcast`)).stop();
  await api.delete(own);
  await api.delete(`${path}?labelSelector=type=link-local`);
  expect((await api.get(`${path}?labelSelector=type=link-local`)).items).toEqual([]);
};

export const ingressCases: Readonly<Record<string, Case>> = {
  "Ingress API should support creating Ingress API operations": ingressOperations,
  "IngressClass API should support creating IngressClass API operations": ingressClassOperations,
  "ServiceCIDR and IPAddress API should support ServiceCIDR API operations": serviceCidrOperations,
  "ServiceCIDR and IPAddress API should support IPAddress API operations": ipAddressOperations,
};
