import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatIp, isLoopback, parseIp } from "../../lib/ip.ts";
import { egressRouter } from "./target.ts";

const route = egressRouter({
  hostAddresses: ["10.250.0.254", "fd00:10:250::fe"],
  clusterCIDRs: ["10.244.0.0/16", "10.96.0.0/12", "10.250.0.0/24", "fd00:10:250::/64"],
});
const to = (...hosts: string[]) => ({ kind: "to", hosts, port: 80 });
const refuse = (reason: string) => ({ kind: "refuse", reason });

test.each([
  ["93.184.216.34", to("93.184.216.34")],
  ["2001:db8::1", to("2001:db8::1")],
  ["192.168.1.7", to("192.168.1.7")],
  ["10.0.0.1", to("10.0.0.1")],
  ["10.250.0.254", to("127.0.0.1", "::1")],
  ["fd00:10:250::fe", to("::1", "127.0.0.1")],
  ["10.250.0.7", refuse("ClusterAddress")],
  ["10.97.0.1", refuse("ClusterAddress")],
  ["127.0.0.1", refuse("NotRoutable")],
  ["::1", refuse("NotRoutable")],
  ["0.0.0.0", refuse("NotRoutable")],
  ["::", refuse("NotRoutable")],
  ["::ffff:127.0.0.1", refuse("NotRoutable")],
  ["::127.0.0.1", refuse("NotRoutable")],
  ["64:ff9b::7f00:1", refuse("NotRoutable")],
  ["169.254.169.254", refuse("NotRoutable")],
  ["fe80::1", refuse("NotRoutable")],
  ["224.0.0.251", refuse("NotRoutable")],
  ["255.255.255.255", refuse("NotRoutable")],
  ["ff02::fb", refuse("NotRoutable")],
  ["nonsense", refuse("NoDestination")],
])("%s", (address, wanted) => expect(route({ address, port: 80 })).toEqual(wanted));

test("without a destination there is nothing to do", () => {
  expect(route(undefined)).toEqual(refuse("NoDestination"));
  expect(route({ address: "93.184.216.34", port: 0 })).toEqual(refuse("NoDestination"));
});

test("the host's loopback is reached by its own address only", () => {
  const family = fc.constantFrom(4 as const, 6 as const);
  fc.assert(
    fc.property(family, fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (family, value) => {
      const address = formatIp({ family, value: family === 4 ? value & 0xffff_ffffn : value });
      const target = route({ address, port: 80 });
      if (target.kind !== "to") return;
      const ends = target.hosts.map((host) => parseIp(host));
      const atHost = ends.some((ip) => ip === undefined || isLoopback(ip) || ip.value === 0n);
      expect(atHost).toBe(["10.250.0.254", "fd00:10:250::fe"].includes(address));
    }),
    {
      examples: [
        [4, 0x7f000001n],
        [6, 1n],
        [6, 0xffff_7f00_0001n],
        [6, 0n],
        [4, 0n],
      ],
    },
  );
});
