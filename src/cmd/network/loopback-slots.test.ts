import { expect, test } from "vitest";
import { cidrContains, parseCidr, parseIp, type Cidr } from "../../lib/ip.ts";
import { claimLoopbackNetwork, loopbackNetwork, type LoopbackNetwork } from "./loopback-slots.ts";

/** 79 networks of clusters that stay, 512 small ones. */
const all = Array.from({ length: 79 + 512 }, (_, slot) => loopbackNetwork(slot));
const ranges = ({ serviceCIDR, podCIDR, loadBalancerCIDR, gatewayCIDR }: LoopbackNetwork) =>
  [serviceCIDR, podCIDR, loadBalancerCIDR, gatewayCIDR].map((text) => parseCidr(text) as Cidr);
const addresses = ({ dnsAddress, proxyAddress, guardAddress, nodeAddress }: LoopbackNetwork) => [
  dnsAddress,
  proxyAddress,
  guardAddress,
  nodeAddress(1),
  nodeAddress(250),
];
/** From 127.0.0.0 on. */
const bounds = ({ base, bits }: Cidr): readonly [number, number] => {
  const start = Number(base & 0xffffffn);
  return [start, start + 2 ** (32 - bits)];
};

test("no two networks share an address, and none has one twice", () => {
  const taken = all
    .flatMap((network) => [...ranges(network).map(bounds), ...addresses(network).map((text) => bounds(parseCidr(`${text}/32`) as Cidr))])
    .sort(([a], [b]) => a - b);
  expect(taken.filter(([start], i) => i > 0 && start < (taken[i - 1] as readonly [number, number])[1])).toEqual([]);
  expect(taken.at(-1)?.[1]).toBeLessThanOrEqual(2 ** 24);
});

test("they are all of loopback, and their numbers lead back to them", () => {
  const loopback = parseCidr("127.0.0.0/8") as Cidr;
  for (const network of all)
    for (const text of addresses(network)) {
      const address = parseIp(text);
      expect(address !== undefined && cidrContains(loopback, address), text).toBe(true);
    }
  expect(all.map(({ slot }) => slot)).toEqual(all.map((_, slot) => slot));
});

test("two that are claimed at the same time are two, small ones and others apart", async () => {
  const claimed = await Promise.all([claimLoopbackNetwork(undefined, true), claimLoopbackNetwork(undefined, true), claimLoopbackNetwork()]);
  try {
    expect(new Set(claimed.map(({ network }) => network.serviceCIDR)).size).toBe(3);
    expect(claimed.map(({ network }) => network.slot >= 79)).toEqual([true, true, false]);
    await expect(claimLoopbackNetwork(claimed[0]?.network.slot)).rejects.toThrow(/in use by another cluster/);
  } finally {
    await Promise.all(claimed.map(({ release }) => release()));
  }
});
