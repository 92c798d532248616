/**
 * 10,000 flows through the kernel's own draw, in each mode that draws: how many each endpoint gets. The kernel's generator has no seed to
 * give, so what is refused is what chance does once in a million runs; `src/decide/proxy/spread.test.ts` has the rules by a fixed seed.
 */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { openConntrack } from "../../src/host/conntrack/conntrack.ts";
import { adoptNetlink } from "../../src/host/netlink/socket.ts";
import { loadLibc } from "../../src/host/syscalls/libc.ts";
import { flood } from "../vm/flood.ts";
import { startRig, unsupported, type RigMode } from "./proxy-rig.ts";

const missing = {
  nftables: unsupported(),
  iptables: unsupported() || (spawnSync("iptables", ["--version"]).status === 0 ? "" : "needs iptables"),
};

describe("10,000 flows", { timeout: 120_000 }, () => {
  test.for(["nftables", "iptables"] as const satisfies readonly RigMode[])("by %s: each endpoint gets its share", async (mode, context) => {
    if (missing[mode] !== "") return context.skip(missing[mode]);
    const rig = await startRig(mode);
    try {
      rig.service("web", { clusterIPs: ["10.96.0.10"], ports: [{ name: "", port: 9, protocol: "UDP" }] } as never);
      rig.endpoints("web", Object.values(rig.pods), { protocol: "UDP", port: 9 });
      await rig.settled();
      const node = rig.nodes[0];
      if (node === undefined) throw new Error("no node");
      const clients = Array.from({ length: 100 }, (_, i) => `10.244.1.${100 + i}`);
      expect(await flood(rig.pods.a.network.path, { to: "10.96.0.10", port: 9, clients, ports: 100 })).toBe(10_000);
      const conntrack = openConntrack(adoptNetlink(loadLibc() as NonNullable<ReturnType<typeof loadLibc>>, await node.netlink(12)));
      const counts = new Map<string, number>();
      for (const { original, reply } of conntrack.list("udp")) {
        if (original.destination.ip === "10.96.0.10") counts.set(reply.source.ip, (counts.get(reply.source.ip) ?? 0) + 1);
      }
      conntrack.close();
      expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(10_000);
      expect([...counts.keys()].sort()).toEqual(
        Object.values(rig.pods)
          .map(({ addresses }) => addresses[0])
          .sort(),
      );
      const statistic = [...counts.values()].reduce((sum, count) => sum + (count - 10_000 / 3) ** 2 / (10_000 / 3), 0);
      // With two degrees of freedom the chance of more than x is exp(-x/2).
      console.log(`test/root: ${mode}: ${[...counts.values()].join("/")}, p = ${Math.exp(-statistic / 2).toFixed(3)}`);
      expect(Math.exp(-statistic / 2)).toBeGreaterThan(1e-6);
    } finally {
      await rig.stop();
    }
  });
});
