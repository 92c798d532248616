/** The pods and Deployments that upstream's cases start (test/e2e/framework/pod/resource.go, deployment/fixtures.go). */
import type { Json } from "./api.ts";
import type { Framework } from "./framework.ts";

const registry = "registry.k8s.io/e2e-test-images";
export const agnhost = `${registry}/agnhost:2.63.0`;
export const nginx = `${registry}/nginx:1.15-4`;
export const glibcDnsTesting = `${registry}/glibc-dns-testing:2.0.0`;
export const pause = "registry.k8s.io/pause:3.10.2";

export function container(name: string, args: readonly string[], rest: Json = {}): Json {
  return { name, image: agnhost, args, ...rest };
}

/** `agnhost ARGS…`, or `agnhost pause`; ends at once when it is deleted. */
export function agnhostPod(name: string, args: readonly string[] = ["pause"], spec: Json = {}, labels: Json = {}): Json {
  return podOf(name, [container("agnhost-container", args)], spec, labels);
}

export function podOf(name: string, containers: readonly Json[], spec: Json = {}, labels: Json = {}): Json {
  return { metadata: { name, labels }, spec: { terminationGracePeriodSeconds: 0, containers, ...spec } };
}

/** Waits until all of its pods are there, new and available. */
export async function createDeployment(f: Framework, name: string, replicas: number, labels: Json, main: Json): Promise<readonly Json[]> {
  const path = `/apis/apps/v1/namespaces/${f.namespace}/deployments`;
  await f.api.create(path, {
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      strategy: { type: "Recreate" },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [main] } },
    },
  });
  await f.api.until(`${path}?fieldSelector=metadata.name=${name}`, `deployment ${name} is complete`, ([found]) => {
    const { status = {}, metadata } = found ?? { metadata: {} };
    return (
      status.observedGeneration >= metadata.generation &&
      [status.replicas, status.updatedReplicas, status.availableReplicas].every((count) => count === replicas)
    );
  });
  const selector = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`);
  return (await f.api.get(f.core(`pods?labelSelector=${selector.join(",")}`))).items;
}
