/** The images that the process runtime knows from the start. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ImageEntry } from "../kubelet/runtime/process/images.ts";
import { standInImages } from "./stand-in-images.ts";
import { upstreamTestImages } from "./upstream-test-images.ts";

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
    ...upstreamTestImages,
    { repositories: ["busybox", "alpine", "debian", "ubuntu"], entrypoint: [], cmd: ["sh"], env: {}, path: [] },
    {
      repositories: ["registry.k8s.io/pause"],
      entrypoint: ["node", "-e", "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 2 ** 30)"],
      cmd: [],
      env: {},
      path: node,
    },
    agnhost(node),
    ...echoBasic(),
    coreDns(node),
    // Holds a pod's network and names for 'fairlead run' to join. The number is the longest wait that every sleep takes.
    { repositories: ["fairlead.dev/run"], entrypoint: ["sleep", "2147483647"], cmd: [], env: {}, path: [] },
  ];
}

/**
 * Upstream's test image: by the real program where `$AGNHOST` says where it is, else by one of our own (examples/agnhost), bundled beside
 * this one, or its source when that runs.
 */
function agnhost(
  node: readonly string[],
  real: string | undefined = process.env["AGNHOST"],
  metaUrl: string = import.meta.url,
): ImageEntry {
  const here = dirname(fileURLToPath(metaUrl));
  const fromSource = metaUrl.endsWith(".ts");
  const examples = join(here, fromSource ? "../../examples/agnhost" : "../examples/agnhost");
  const program = fromSource ? join(examples, "main.ts") : join(here, "agnhost.js");
  return {
    repositories: ["registry.k8s.io/e2e-test-images/agnhost", "fairlead.dev/agnhost"],
    entrypoint: ["/agnhost"],
    cmd: ["pause"],
    env: { AGNHOST_PROGRAM: program },
    // `nc` is the image's own: the node's may differ, or be missing.
    path: [join(examples, "bin"), ...node],
    needs: [dirname(program), join(examples, "bin"), ...(fromSource ? [join(here, "../lib")] : [])],
    files: real === undefined || real === "" ? ownAgnhost(examples) : realAgnhost(real),
  };
}

/** The image has a certificate at its root; upstream's tests ask for it as a file to serve. Nobody has its key: `porter` makes its own. */
const ownAgnhost = (examples: string): Readonly<Record<string, string>> => ({
  "/agnhost": join(examples, "agnhost"),
  "/localhost.crt": join(examples, "localhost.crt"),
});

/** Upstream's program, and what else its image carries, where it lies beside it: the certificate, and the DNS server of some specs. */
function realAgnhost(path: string): Readonly<Record<string, string>> {
  const beside = ["localhost.crt", "localhost.key", "coredns"].map((name) => join(dirname(path), name)).filter((file) => existsSync(file));
  return { "/agnhost": path, ...Object.fromEntries(beside.map((file) => [`/${basename(file)}`, file])) };
}

/**
 * CoreDNS: `fairlead dns`, which reads the same Corefile and has the same flags, or the real program where `$COREDNS` says where it is.
 * Its own modules lie beside this one, those that it installed somewhere above.
 */
export function coreDns(
  node: readonly string[],
  real: string | undefined = process.env["COREDNS"],
  metaUrl: string = import.meta.url,
): ImageEntry {
  const repositories = ["coredns/coredns", "registry.k8s.io/coredns/coredns"];
  if (real !== undefined && real !== "")
    return { repositories, entrypoint: ["/coredns"], cmd: [], env: {}, path: [], files: { "/coredns": real } };
  const here = dirname(fileURLToPath(metaUrl));
  const root = join(here, metaUrl.endsWith(".ts") ? "../.." : "..");
  return {
    repositories,
    entrypoint: ["node", join(here, metaUrl.endsWith(".ts") ? "fairlead.ts" : "fairlead.js"), "dns"],
    cmd: [],
    env: {},
    path: node,
    needs: [root],
    note: "fairlead dns runs in the place of CoreDNS; $COREDNS names the real program",
  };
}

/** The backend of the Gateway API's conformance suite, where `$ECHO_BASIC` says where that program is. */
function echoBasic(program: string | undefined = process.env["ECHO_BASIC"]): readonly ImageEntry[] {
  if (program === undefined) return [];
  const repositories = ["registry.k8s.io/gateway-api/echo-basic", "gcr.io/k8s-staging-gateway-api/echo-basic"];
  return [{ repositories, entrypoint: ["/echo-basic"], cmd: [], env: {}, path: [], files: { "/echo-basic": program } }];
}
