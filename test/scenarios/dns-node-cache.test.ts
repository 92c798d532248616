/** NodeLocal DNSCache in a network namespace of its own: listens, keeps packets out of connection tracking, outlives the cluster's DNS, and leaves nothing. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

const script = `
set -e
fairlead() { exec sh ${root}/bin/node ${root}/src/cmd/fairlead.ts dns "$@"; }
ask() { dig +short +time=2 +tries=1 "$@" web.shop.svc.cluster.local 2>/dev/null || true; }
ip link set lo up
(fairlead -conf upstream -quiet) > upstream.log 2>&1 & upstream=$!
(fairlead node-cache -localip 169.254.20.10,10.96.0.10 -conf template -upstreamsvc 127.0.0.1) > cache.log 2>&1 & cache=$!
for i in $(seq 200); do [ "$(ask @169.254.20.10)" = 10.3.3.3 ] && break; sleep 0.2; done
echo "udp $(ask @169.254.20.10)"
echo "tcp $(ask +tcp @10.96.0.10)"
echo "addresses $(ip -br address show lo | grep -o '169.254.20.10\\|10.96.0.10' | sort | tr '\\n' ' ')"
echo "rules $(nft list ruleset | grep -c notrack)"
kill -9 $upstream
echo "alone $(ask @169.254.20.10)"
kill -TERM $cache
wait $cache && echo "ended 0"
echo "left $(ip -br address show lo | grep -c '169.254.20.10\\|10.96.0.10') addresses, $(nft list ruleset | wc -l) lines of rules"
`;

test("node-cache", { timeout: 180_000 }, (context) => {
  if (process.getuid?.() !== 0) return context.skip("needs root: it adds addresses and rules");
  for (const [program, ...args] of [
    ["nft", "--version"],
    ["dig", "-v"],
    ["ip", "-V"],
  ] as const) {
    if (spawnSync(program, args).error !== undefined) return context.skip(`needs the program ${program}`);
  }
  if (spawnSync("unshare", ["-n", "nft", "list", "ruleset"]).status !== 0)
    return context.skip("needs nf_tables in a network namespace of its own");
  const folder = mkdtempSync(join(tmpdir(), "fairlead-node-cache-"));
  try {
    writeFileSync(
      join(folder, "upstream"),
      ".:5355 {\n bind 127.0.0.1\n hosts /nowhere/hosts {\n 10.3.3.3 web.shop.svc.cluster.local\n }\n}\n",
    );
    const template =
      "cluster.local:53 {\n errors\n cache {\n success 9984 30\n denial 9984 5\n }\n bind __PILLAR__LOCAL__DNS__\n forward . __PILLAR__CLUSTER__DNS__:5355 {\n force_tcp\n }\n}\n";
    writeFileSync(join(folder, "template"), template);
    const { stdout, stderr } = spawnSync("unshare", ["-n", "sh", "-c", script], { cwd: folder, encoding: "utf8", timeout: 150_000 });
    expect(stdout.trim().split("\n"), stderr).toEqual([
      "udp 10.3.3.3",
      "tcp 10.3.3.3",
      "addresses 10.96.0.10 169.254.20.10 ",
      "rules 10",
      "alone 10.3.3.3",
      "ended 0",
      "left 0 addresses, 0 lines of rules",
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
