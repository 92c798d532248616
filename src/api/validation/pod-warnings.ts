/** What is legal in a pod and probably not meant (`pkg/api/pod/warnings.go`). */
import type { Container, Pod, PodSpec } from "../types.ts";

export function podWarnings({ spec }: Pod): string[] {
  return spec === undefined ? [] : podSpecWarnings(spec, "spec");
}

export function podSpecWarnings(spec: PodSpec, path: string): string[] {
  const negative = (spec.terminationGracePeriodSeconds ?? 0) < 0;
  return [
    ...(["containers", "initContainers"] as const).flatMap((list) =>
      (spec[list] ?? []).flatMap((container, index) => hiddenVariables(container, `${path}.${list}[${index}].env`)),
    ),
    ...duplicatePorts(spec.containers ?? [], `${path}.containers`),
    ...(negative ? [`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`] : []),
  ];
}

function hiddenVariables({ env = [] }: Container, path: string): string[] {
  const names = env.map(({ name }) => name);
  return names.flatMap((name, index) =>
    names.indexOf(name) < index ? [`${path}[${index}]: hides previous definition of "${name}", which may be dropped when using apply`] : [],
  );
}

/** Containers of one pod share its addresses: two of them cannot have one port. */
function duplicatePorts(containers: readonly Container[], path: string): string[] {
  const seen = new Map<string, string>();
  const warnings: string[] = [];
  for (const [at, { ports = [] }] of containers.entries()) {
    for (const [index, { protocol, containerPort, hostIP = "", hostPort = 0 }] of ports.entries()) {
      const key = `${protocol}/${containerPort}/${hostIP}/${hostPort}`;
      const here = `${path}[${at}].ports[${index}]`;
      const before = seen.get(key);
      if (before !== undefined) warnings.push(`${here}: duplicate port definition with ${before}`);
      else seen.set(key, here);
    }
  }
  return warnings;
}
