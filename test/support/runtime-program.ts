/**
 * Runs the cases of `src/kubelet/{runtime/runtime,kubelet}.cases.ts` against pods in namespaces, as whoever starts it inside of
 * namespaces of its own. One line of JSON for each case: `{ name, error? }`. `DIRECTORY` is where everything may be written. With
 * `LAYOUT TOOL` the containers are those of real images, out of that OCI layout, and run by that tool (crun, runc).
 */
import { mkdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { dirname } from "node:path";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import { createNamespacedRuntime } from "../../src/kubelet/runtime/process/namespaced-runtime.ts";
import { isMachineRoot } from "../../src/kubelet/runtime/process/namespaced/process-user.ts";
import { ImageStore } from "../../src/kubelet/images/image-store.ts";
import { openImageSource } from "../../src/kubelet/images/open-source.ts";
import { PulledImages } from "../../src/kubelet/runtime/oci/pulled-images.ts";
import { findOciTool } from "../../src/kubelet/runtime/oci/tool.ts";
import { kubeletCases, type KubeletRig } from "../../src/kubelet/kubelet.cases.ts";
import { runtimeCases } from "../../src/kubelet/runtime/runtime.cases.ts";
import { builtInImages } from "../../src/cmd/images.ts";

const [, , scratch = "", layout, tool] = process.argv;
const directory = join(scratch, "pods");
mkdirSync(directory, { recursive: true });
// Those who run without rights of their own must reach the volumes of the cases.
process.umask(0);

const namespaces = await createNamespaces();
const two = namespaces.families.includes(6);
const podCIDRs = ["10.244.1.0/24", ...(two ? ["fd00:10:244:1::/64"] : [])];
const network = await namespaces.createNode({ name: "node-1", index: 1, podCIDRs });
const isRoot = isMachineRoot(readFileSync("/proc/self/uid_map", "utf8"), process.getuid?.() ?? -1);
const real = layout === undefined ? undefined : await realImages(layout);
const runtime = createNamespacedRuntime({
  network,
  nodeName: "node-1",
  directory,
  images: real === undefined ? builtInImages() : [],
  ...real,
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
  traits: { isolated: true, root: isRoot, real: real !== undefined },
};
await runtime.start();
const cases =
  real === undefined
    ? [...runtimeCases.filter(({ needs }) => needs !== "real"), ...kubeletCases]
    : runtimeCases.filter(({ needs, only }) => (tool === "runc" ? needs === "real" : only !== "process"));
for (const { name, run } of cases) {
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

/** All images of the cases, in the store. */
async function realImages(directory: string) {
  const oci = findOciTool([tool === "runc" ? "runc" : "crun"]);
  if (oci === undefined) throw new Error(`no ${tool}`);
  const store = new ImageStore({ directory: join(scratch, "images"), sources: [await openImageSource(directory)], owners: isRoot });
  await store.open();
  const pulled = new PulledImages({ store });
  for (const image of ["busybox", "node"]) {
    const answer = await pulled.pull({ name: "c", image }, []);
    if (answer.kind === "absent") throw new Error(answer.message);
  }
  return { realImages: pulled, oci };
}
