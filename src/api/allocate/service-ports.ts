/** Node ports and the health check node port of a Service (alloc.go `initNodePorts`, `updateNodePorts`, `updateHealthCheckNodePort`). */
import { duplicate, invalid } from "../field-error.ts";
import type { Draft } from "../object.ts";
import type { ServiceSpec } from "../types.ts";
import { needsHealthCheckNodePort, needsNodePort, wantsNodePorts } from "../validation/service-traits.ts";
import { Exhausted, FieldFault, type Ledger } from "./ledger.ts";

type Spec = Draft<ServiceSpec>;

/**
 * Node ports of a new Service. Two ports of one number (DNS on TCP and UDP) share a node port where they name no other:
 * clients expect to find both at one place.
 */
export function createNodePorts(spec: Spec, ledger: Ledger): void {
  const given = new Map<number, number>();
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if ((port.nodePort ?? 0) === 0 && !wantsNodePorts(spec)) continue;
    const named = port.nodePort ?? 0;
    const shared = given.get(port.port) ?? requestedBySibling(spec, port.port);
    const wanted = named === 0 ? shared : named;
    if (wanted === undefined) port.nodePort = ledger.takeAnyPort();
    else takeNamedPort(wanted, index, ledger);
    if (wanted !== undefined) port.nodePort = wanted;
    if (!given.has(port.port)) given.set(port.port, port.nodePort as number);
  }
}

function requestedBySibling(spec: ServiceSpec, number: number): number | undefined {
  const sibling = spec.ports?.find((port) => port.port === number && (port.nodePort ?? 0) !== 0);
  return sibling?.nodePort;
}

function takeNamedPort(port: number, index: number, ledger: Ledger): void {
  const fault = ledger.takePort(port);
  if (fault !== undefined) throw new FieldFault([invalid(`spec.ports[${index}].nodePort`, port, fault)]);
}

/** Takes the node ports that are new, gives those that are new a number, frees those that are gone. */
export function updateNodePorts(spec: Spec, old: ServiceSpec, ledger: Ledger): void {
  const before = nodePortsOf(old);
  if (needsNodePort(spec)) takeNewPorts(spec, before, ledger);
  else if (!needsNodePort(old)) return;
  const now = needsNodePort(spec) ? nodePortsOf(spec) : new Set<number>();
  for (const port of before) if (!now.has(port)) ledger.releasePort(port);
}

function takeNewPorts(spec: Spec, before: ReadonlySet<number>, ledger: Ledger): void {
  const seen = new Set<string>();
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if ((port.nodePort ?? 0) === 0) {
      if (!wantsNodePorts(spec)) continue;
      port.nodePort = ledger.takeAnyPort();
    } else if (!before.has(port.nodePort as number)) takeNamedPort(port.nodePort as number, index, ledger);
    const key = `${port.protocol}/${port.nodePort}`;
    if (seen.has(key)) throw new FieldFault([duplicate(`spec.ports[${index}].nodePort`, port.nodePort)]);
    seen.add(key);
  }
}

function nodePortsOf(spec: ServiceSpec): ReadonlySet<number> {
  return new Set((spec.ports ?? []).map((port) => port.nodePort ?? 0).filter((port) => port !== 0));
}

/** Takes the health check node port when it becomes needed, frees it when it no longer is. */
export function updateHealthCheckNodePort(spec: Spec, old: ServiceSpec, ledger: Ledger): void {
  const [needed, needs] = [needsHealthCheckNodePort(old), needsHealthCheckNodePort(spec)];
  if (needed && !needs && (old.healthCheckNodePort ?? 0) !== 0) ledger.releasePort(old.healthCheckNodePort as number);
  if (needed || !needs) return;
  const named = spec.healthCheckNodePort ?? 0;
  if (named === 0) {
    spec.healthCheckNodePort = ledger.takeAnyPort("a HealthCheck NodePort");
    return;
  }
  const fault = ledger.takePort(named);
  if (fault !== undefined) throw new Exhausted(`failed to allocate requested HealthCheck NodePort ${named}: ${fault}`);
}
