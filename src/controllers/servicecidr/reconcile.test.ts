import { expect, test } from "vitest";
import type { IPAddress, Service, ServiceCIDR } from "../../api/types.ts";
import { planServiceCidr, serviceCidrFinalizer, type ServiceCidrInput } from "./reconcile.ts";

const now = Date.parse("2026-01-01T01:00:00Z");
const held = { finalizers: [serviceCidrFinalizer] };
const gone = { ...held, deletionTimestamp: "2026-01-01T00:00:00Z" };
const readyStatus = {
  conditions: [{ type: "Ready", status: "True", reason: "", message: "Kubernetes Service CIDR is ready", lastTransitionTime: "" }],
};

const cidr = (metadata: object = {}, cidrs = ["10.1.0.0/24"], status = {}): ServiceCIDR => ({
  metadata: { name: "extra", ...metadata },
  spec: { cidrs },
  status,
});
const address = (name: string): IPAddress => ({
  metadata: { name },
  spec: { parentRef: { resource: "services", name: "web", namespace: "default" } },
});
const service = (...clusterIPs: string[]): Service => ({ metadata: { name: "web", namespace: "default" }, spec: { clusterIPs } });
const plan = (one: ServiceCIDR, more: Partial<ServiceCidrInput> = {}) =>
  planServiceCidr({ cidr: one, all: [one], addresses: [], services: [], now, ...more });

test("a new one is protected first, then ready, then left alone", () => {
  expect(plan(cidr())).toEqual({ kind: "finalizers", finalizers: [serviceCidrFinalizer] });
  expect(plan(cidr(held))).toMatchObject({
    kind: "status",
    condition: { type: "Ready", status: "True", lastTransitionTime: "2026-01-01T01:00:00Z" },
  });
  expect(plan(cidr(held, ["10.1.0.0/24"], readyStatus))).toEqual({ kind: "none" });
});

test("one that is being deleted stays while an address of its own is in use", () => {
  expect(plan(cidr(gone), { addresses: [address("10.1.0.7")] })).toMatchObject({
    kind: "status",
    condition: { status: "False", reason: "Terminating" },
  });
  expect(plan(cidr(gone), { services: [service("10.1.0.7")] })).toMatchObject({ kind: "status", condition: { reason: "Terminating" } });
  expect(plan(cidr(gone), { addresses: [address("10.2.0.7")], services: [service("None")] })).toEqual({
    kind: "finalizers",
    finalizers: [],
  });
});

test("an address that another range has as well holds nothing", () => {
  const wider: ServiceCIDR = { metadata: { name: "wider" }, spec: { cidrs: ["10.0.0.0/8"] } };
  const overlapping: ServiceCIDR = { metadata: { name: "overlapping" }, spec: { cidrs: ["10.1.0.0/25"] } };
  const inUse = { addresses: [address("10.1.0.7")] };
  const one = cidr(gone);
  expect(plan(one, { ...inUse, all: [one, wider] }).kind).toBe("finalizers");
  expect(plan(one, { ...inUse, all: [one, overlapping] }).kind).toBe("finalizers");
  expect(plan(one, { addresses: [address("10.1.0.200")], all: [one, overlapping] }).kind).toBe("status");
});

test("the finalizer goes some seconds after the deletion", () => {
  expect(plan(cidr({ ...gone, deletionTimestamp: "2026-01-01T00:59:57Z" }))).toEqual({ kind: "later", after: 7000 });
});

test("one without our finalizer is nobody's business", () => {
  expect(plan(cidr({ deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["example.com/x"] }))).toEqual({ kind: "none" });
});
