/**
 * Runs the cases of `src/kubelet/{runtime/runtime,kubelet}.cases.ts` against pods in namespaces, as whoever starts it inside of
 * namespaces of its own. One line of JSON for each case: `{ name, error? }`. `DIRECTORY` is where everything may be written.
 */
import { mkdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { dirname } from "node:path";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import { createNamespacedRuntime } from "../../src/kubelet/runtime/process/namespaced-runtime.ts";
import { isMachineRoot } from "../../src/kubelet/runtime/process/namespaced/process-user.ts";
import { kubeletCases, type KubeletRig } from "../../src/kubelet/kubelet.cases.ts";
import { runtimeCases } from "../../src/kubelet/runtime/runtime.cases.ts";
import { builtInImages } from "../../src/cmd/images.ts";

const scratch = process.argv[2] ?? "";
const directory = join(scratch, "pods");
mkdirSync(directory, { recursive: true });
// Those who run without rights of their own must reach the volumes of the cases.
process.umask(0);

const namespaces = await createNamespaces();
const two = namespaces.families.includes(6);
const podCIDRs = ["10.244.1.0/24", ...(two ? ["fd00:10:244:1::/64"] : [])];
const network = await namespaces.createNode({ name: "node-1", index: 1, podCIDRs });
const runtime = createNamespacedRuntime({
  network,
  nodeName: "node-1",
  directory,
  images: builtInImages(),
  version: "0",
  hidden: [dirname(scratch)],
  dns: { servers: ["10.96.0.10"], clusterDomain: "cluster.local", hostResolvConf: "/etc/resolv.conf" },
});
const rig: KubeletRig = {
  nodeAddresses: network.addresses,
  podCIDRs,
  runtime,
  directory,
  scratch,
  addresses: (n) => [`10.244.1.${n}`, ...(two ? [`fd00:10:244:1::${n.toString(16)}`] : [])],
  traits: { isolated: true, root: isMachineRoot(readFileSync("/proc/self/uid_map", "utf8"), process.getuid?.() ?? -1) },
};
await runtime.start();
for (const { name, run } of [...runtimeCases, ...kubeletCases]) {
  const started = performance.now();
  let error: string | undefined;
  try {
    await run(rig);
  } catch (failure) {
    error = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
  }
  writeSync(1, `${JSON.stringify({ name, ms: Math.round(performance.now() - started), error })}\n`);
}
await runtime.stop();
await namespaces.stop();
process.exit(0);
