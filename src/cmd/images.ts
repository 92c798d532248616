/** The images that the process runtime knows from the start. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ImageEntry } from "../kubelet/runtime/process/images.ts";
import { standInImages } from "./stand-in-images.ts";

/** The Node that runs Fairlead serves as image `node`; shells and tools are the host's. */
export function builtInImages(nodePath: string = process.execPath): readonly ImageEntry[] {
  const node = [dirname(nodePath)];
  return [
    {
      repositories: ["node", "fairlead.dev/node"],
      entrypoint: [],
      cmd: ["node"],
      env: { NODE_VERSION: process.versions.node },
      path: node,
    },
    ...standInImages(dirname(nodePath)),
    { repositories: ["busybox", "alpine", "debian", "ubuntu"], entrypoint: [], cmd: ["sh"], env: {}, path: [] },
    {
      repositories: ["registry.k8s.io/pause"],
      entrypoint: ["node", "-e", "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 2 ** 30)"],
      cmd: [],
      env: {},
      path: node,
    },
    agnhost(node),
    // Holds a pod's network and names for 'fairlead run' to join. The number is the longest wait that every sleep takes.
    { repositories: ["fairlead.dev/run"], entrypoint: ["sleep", "2147483647"], cmd: [], env: {}, path: [] },
  ];
}

/** Upstream's test image, by a program of our own (examples/agnhost): bundled beside this one, or its source when that runs. */
function agnhost(node: readonly string[], metaUrl: string = import.meta.url): ImageEntry {
  const here = dirname(fileURLToPath(metaUrl));
  const fromSource = metaUrl.endsWith(".ts");
  const examples = join(here, fromSource ? "../../examples/agnhost" : "../examples/agnhost");
  const program = fromSource ? join(examples, "main.ts") : join(here, "agnhost.js");
  return {
    repositories: ["registry.k8s.io/e2e-test-images/agnhost", "fairlead.dev/agnhost"],
    entrypoint: ["/agnhost"],
    cmd: ["pause"],
    env: { AGNHOST_PROGRAM: program },
    path: node,
    needs: [dirname(program)],
    files: { "/agnhost": join(examples, "agnhost") },
  };
}
