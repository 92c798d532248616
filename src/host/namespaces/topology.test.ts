import { describe, expect, test } from "vitest";
import { NetlinkWriter } from "../netlink/writer.ts";
import * as topology from "./topology.ts";

const cidrs = ["10.250.0.0/24", "fd00:10:250::/64"];
const fabric = topology.planFabric(cidrs);
const node: topology.NodePlan = {
  index: 3,
  addresses: topology.nodeAddresses(cidrs, 3),
  podCIDRs: ["10.244.3.0/24", "fd00:10:244:3::/64"],
  link: 16,
};
const pod: topology.PodPlan = { addresses: ["10.244.3.7", "fd00:10:244:3::7"], link: 17 };

/** What the messages do, in their own words. */
function labels(write: (writer: NetlinkWriter) => void): string[] {
  const writer = new NetlinkWriter();
  write(writer);
  return Array.from({ length: writer.sequence }, (_, i) => writer.label(i + 1) ?? "unnamed");
}

describe("addresses", () => {
  test("the fabric stands for the host and for the cluster's own servers", () => {
    expect(fabric).toEqual({ hostAddresses: ["10.250.0.254", "fd00:10:250::fe"], systemAddresses: ["10.250.0.253", "fd00:10:250::fd"] });
  });

  test("the n-th node has the n-th address, up to those", () => {
    expect(topology.nodeAddresses(cidrs, 1)).toEqual(["10.250.0.1", "fd00:10:250::1"]);
    expect(topology.nodeAddresses(cidrs, topology.maxNodes)).toEqual(["10.250.0.252", "fd00:10:250::fc"]);
  });

  test.each([[0], [253], [-1], [1.5]])("there is no node %d", (index) => {
    expect(() => topology.nodeAddresses(cidrs, index)).toThrow("from 1 to 252");
  });

  test.each([
    ["10.250.0.0/25", "at least 256"],
    ["10.250.0.0", "no CIDR"],
  ])("%s is no block for nodes", (cidr, message) => {
    expect(() => topology.planFabric([cidr])).toThrow(message);
  });
});

describe("messages", () => {
  test("a node, seen from the fabric", () => {
    expect(labels((writer) => topology.writeFabricSide(writer, fabric, node, 9))).toEqual([
      "add link node-3",
      "add address 10.250.0.254",
      "add address fd00:10:250::fe",
      "add neighbour 10.250.0.3",
      "add route 10.250.0.3/32",
      "add neighbour fd00:10:250::3",
      "add route fd00:10:250::3/128",
      "add route 10.244.3.0/24",
      "add route fd00:10:244:3::/64",
    ]);
  });

  test("a node's own side ends what is no pod of its range", () => {
    expect(labels((writer) => topology.writeNodeSide(writer, fabric, node))).toEqual([
      "set link 1 up",
      "set link 2 without link-local address",
      "set link 2 up",
      "add address 10.250.0.3",
      "add address fd00:10:250::3",
      "add neighbour 10.250.0.254",
      "add route 0.0.0.0/0",
      "add neighbour fd00:10:250::fe",
      "add route ::/0",
      "add route 10.244.3.0/24",
      "add route fd00:10:244:3::/64",
    ]);
  });

  test("a pod, from both sides", () => {
    expect(labels((writer) => topology.writePodLink(writer, node, pod, 9))).toEqual([
      "add link pod-17",
      "add neighbour 10.244.3.7",
      "add route 10.244.3.7/32",
      "add neighbour fd00:10:244:3::7",
      "add route fd00:10:244:3::7/128",
    ]);
    expect(labels((writer) => topology.writePodSide(writer, pod))).toEqual([
      "set link 1 up",
      "set link 2 without link-local address",
      "set link 2 up",
      "add address 10.244.3.7",
      "add neighbour 169.254.1.1",
      "add route 0.0.0.0/0",
      "add address fd00:10:244:3::7",
      "add neighbour fe80::1",
      "add route ::/0",
    ]);
    expect(labels((writer) => topology.deletePodRoutes(writer, pod))).toEqual([
      "delete route 10.244.3.7/32",
      "delete route fd00:10:244:3::7/128",
    ]);
  });

  test("a pod of one family gets nothing of the other", () => {
    const alone = { addresses: ["10.244.3.7"], link: 17 };
    expect(labels((writer) => topology.writePodSide(writer, alone)).some((label) => label.includes(":"))).toBe(false);
  });
});

describe("settings", () => {
  const names = (options: Parameters<typeof topology.namespaceSettings>[0]) => topology.namespaceSettings(options).map(([name]) => name);

  test("only routers forward, and IPv6 is left alone where there is none", () => {
    expect(names({ router: false, ipv6: true, root: true })).not.toContain("net/ipv4/ip_forward");
    expect(names({ router: true, ipv6: true, root: true })).toContain("net/ipv6/conf/all/forwarding");
    expect(names({ router: true, ipv6: false, root: true }).filter((name) => name.includes("ipv6"))).toEqual([]);
  });

  test("rootless there is one group that may ping", () => {
    const range = (root: boolean) =>
      new Map(topology.namespaceSettings({ router: false, ipv6: false, root })).get("net/ipv4/ping_group_range");
    expect([range(false), range(true)]).toEqual(["0 0", "0 2147483647"]);
  });
});
