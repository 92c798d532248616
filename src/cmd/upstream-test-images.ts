/**
 * The images of upstream's end-to-end tests (kubernetes/kubernetes test/utils/image/manifest.go) that hold nothing but a shell and
 * tools: those of this machine stand in. agnhost and nginx are in `images.ts` and `stand-in-images.ts`.
 */
import type { ImageEntry } from "../kubelet/runtime/process/images.ts";

const registry = "registry.k8s.io/e2e-test-images";

const shell = (names: readonly string[], cmd: readonly string[]): ImageEntry => ({
  repositories: names.map((name) => `${registry}/${name}`),
  entrypoint: [],
  cmd,
  env: {},
  path: [],
});

export const upstreamTestImages: readonly ImageEntry[] = [
  shell(["busybox", "glibc-dns-testing", "jessie-dnsutils", "ipc-utils", "nonroot", "perl"], ["sh"]),
];
