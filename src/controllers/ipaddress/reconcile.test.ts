import { expect, test } from "vitest";
import type { IPAddress, Service } from "../../api/types.ts";
import { planAddresses } from "./reconcile.ts";

const service = (...clusterIPs: readonly string[]): Service => ({ metadata: { name: "web", namespace: "default" }, spec: { clusterIPs } });
const made = (...addresses: readonly string[]): readonly IPAddress[] => planAddresses(service(...addresses), []).create;
const byHand: IPAddress = {
  metadata: { name: "10.96.0.9" },
  spec: { parentRef: { resource: "services", namespace: "default", name: "web" } },
};

test.each<readonly [string, Service | undefined, readonly IPAddress[], string, string]>([
  ["both families", service("10.96.0.7", "fd00::7"), [], "10.96.0.7 fd00::7", ""],
  ["there already", service("10.96.0.7"), made("10.96.0.7"), "", ""],
  ["no longer dual-stack", service("10.96.0.7"), made("10.96.0.7", "fd00::7"), "", "fd00::7"],
  ["headless", service("None"), made("10.96.0.7"), "", "10.96.0.7"],
  ["gone", undefined, made("10.96.0.7"), "", "10.96.0.7"],
  ["somebody's own stays", undefined, [byHand], "", ""],
])("%s", (_, object, existing, create, remove) => {
  const plan = planAddresses(object, existing);
  const names = (addresses: readonly IPAddress[]) => addresses.map(({ metadata }) => metadata.name).join(" ");
  expect([names(plan.create), names(plan.remove)]).toEqual([create, remove]);
});
