import { describe, expect, test } from "vitest";
import { evaluate } from "../../lib/nftables/evaluate.ts";
import { egressOperations, installEgress, type EgressOptions } from "./egress.ts";
import { fakeNftables } from "./fake.ts";

const options: EgressOptions = {
  tcp: [
    { address: "10.250.0.254", port: 15_001 },
    { address: "fd00:10:250::fe", port: 15_001 },
  ],
  udp: [
    { address: "10.250.0.254", port: 15_002 },
    { address: "fd00:10:250::fe", port: 15_002 },
  ],
  hostAddresses: ["10.250.0.254", "fd00:10:250::fe"],
  ownAddresses: ["10.250.0.253", "fd00:10:250::fd"],
  clusterCIDRs: ["10.244.0.0/16", "10.250.0.0/24", "fd00:10:244::/56", "fd00:10:250::/64"],
};
/** Pods that there are. */
const routed = new Set(["10.244.1.2", "fd00:10:244:1::2"]);

function answer(to: string, protocol: string, port = 80): string {
  const kernel = fakeNftables();
  installEgress(kernel, options);
  const from = to.includes(":") ? "fd00:10:244:9::9" : "10.244.9.9";
  const result = evaluate(
    kernel.ruleset,
    { from, to, port, protocol, local: false },
    { random: () => 0, now: 0, keep: false, routed: (address) => routed.has(address) },
  );
  if (result.kind === "reject") return result.with;
  if (result.kind === "drop") return "drop";
  return result.dnat === undefined ? "pass" : `${result.dnat.address} ${result.dnat.port}`;
}

describe.each(["tcp", "udp"])("%s", (protocol) => {
  const port = protocol === "tcp" ? 15_001 : 15_002;
  const refused = protocol === "tcp" ? "tcp reset" : "admin-prohibited";
  test.each([
    ["203.0.113.7", `10.250.0.254 ${port}`],
    ["2001:db8::1", `fd00:10:250::fe ${port}`],
    // The machine itself, although in the range of the nodes.
    ["10.250.0.254", `10.250.0.254 ${port}`],
    ["fd00:10:250::fe", `fd00:10:250::fe ${port}`],
    // The cluster's own servers, and its pods; an address of its that nobody has.
    ["10.250.0.253", "pass"],
    ["10.244.1.2", "pass"],
    ["fd00:10:244:1::2", "pass"],
    ["10.244.1.99", refused],
    ["fd00:10:244:1::99", refused],
    // Never out: another machine's loopback and link, and many at once.
    ["127.0.0.1", refused],
    ["169.254.169.254", refused],
    ["::1", refused],
    ["fe80::1", "pass"],
    ["224.0.0.251", "drop"],
    ["255.255.255.255", "drop"],
    ["ff02::fb", "drop"],
  ])("%s: %s", (to, expected) => expect(answer(to, protocol)).toBe(expected));
});

test("other protocols are refused by name", () => {
  expect(answer("203.0.113.7", "icmp", 0)).toBe("admin-prohibited");
  expect(answer("2001:db8::1", "ipv6-icmp", 0)).toBe("admin-prohibited");
});

test("a family without listeners is left alone; a second call replaces the first", () => {
  const kernel = fakeNftables();
  const v4 = { ...options, tcp: options.tcp.slice(0, 1), udp: options.udp.slice(0, 1) };
  expect(egressOperations(v4).every(({ table }) => table.family === "ip")).toBe(true);
  installEgress(kernel, v4);
  const first = kernel.dump();
  installEgress(kernel, v4);
  expect(kernel.dump()).toBe(first);
});
