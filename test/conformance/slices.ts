/** What EndpointSlices say of a Service (test/e2e/framework/endpointslice). */
import { expect } from "vitest";
import type { Json } from "./api.ts";
import type { Framework } from "./framework.ts";

export const slicePath = (f: Framework): string => `/apis/discovery.k8s.io/v1/namespaces/${f.namespace}/endpointslices`;

export function untilSlices(
  f: Framework,
  service: string,
  what: string,
  right: (slices: readonly Json[]) => boolean,
): Promise<readonly Json[]> {
  return f.api.until(`${slicePath(f)}?labelSelector=kubernetes.io/service-name=${service}`, `slices of ${service}: ${what}`, right);
}

export const endpointsOf = (slices: readonly Json[]): readonly Json[] => slices.flatMap(({ endpoints }) => endpoints ?? []);

const isReadyEndpoint = ({ conditions }: Json): boolean => conditions?.ready !== false;

/** Exactly those pods are ready endpoints. */
export async function untilEndpointPods(f: Framework, service: string, ...pods: readonly string[]): Promise<void> {
  const wanted = JSON.stringify([...pods].sort());
  await untilSlices(f, service, wanted, (slices) => {
    const ready = endpointsOf(slices).filter(isReadyEndpoint);
    return JSON.stringify(ready.map(({ targetRef }) => targetRef?.name).sort()) === wanted;
  });
}

export async function untilEndpointCount(f: Framework, service: string, count: number): Promise<void> {
  await untilSlices(f, service, `${count} endpoints`, (slices) => slices.length > 0 && endpointsOf(slices).length === count);
}

/** Each as `NAME PROTOCOL POD:PORT`, and no others. */
export async function untilEndpointPorts(f: Framework, service: string, ...mappings: readonly string[]): Promise<void> {
  const wanted = JSON.stringify([...mappings].sort());
  await untilSlices(f, service, wanted, (slices) => {
    const found = slices.flatMap(({ endpoints, ports }) =>
      (endpoints ?? [])
        .filter(isReadyEndpoint)
        .flatMap(({ targetRef }: Json) =>
          (ports ?? []).map(({ name, protocol, port }: Json) => `${name} ${protocol} ${targetRef?.name}:${port}`),
        ),
    );
    return JSON.stringify(found.sort()) === wanted;
  });
}

export function expectTargetRef(pod: Json, targetRef: Json): void {
  const { namespace, name, uid } = pod.metadata;
  expect(targetRef).toMatchObject({ kind: "Pod", namespace, name, uid });
}
