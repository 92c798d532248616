/** Probes and lifecycle hooks (validation.go `validateProbe`, `validateHandler`). */
import { forbidden, invalid, required, type FieldError } from "../field-error.ts";
import { httpHeaderName } from "../names.ts";
import type { Container, HTTPGetAction, Lifecycle, LifecycleHandler, Probe } from "../types.ts";
import { validateEnum, validateNonNegative, validatePort, validatePortOrName, validatePositive, validateText } from "./values.ts";

/** Of a probe or a hook: the two share their ways to act. */
type Handler = Pick<Probe, "exec" | "httpGet" | "tcpSocket" | "grpc"> & Pick<LifecycleHandler, "sleep">;

export function validateProbes(container: Container, gracePeriod: number | undefined, path: string): FieldError[] {
  return (["livenessProbe", "readinessProbe", "startupProbe"] as const).flatMap((field) => {
    const probe = container[field];
    if (probe === undefined) return [];
    return [
      ...validateProbe(probe, gracePeriod, `${path}.${field}`),
      ...validatePurpose(probe, field === "readinessProbe", `${path}.${field}`),
    ];
  });
}

/** One success is enough to be alive or started, and readiness ends nothing. */
function validatePurpose(probe: Probe, readiness: boolean, path: string): FieldError[] {
  if (readiness) {
    const set = probe.terminationGracePeriodSeconds !== undefined;
    const detail = "must not be set for readinessProbes";
    return set ? [invalid(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, detail)] : [];
  }
  return probe.successThreshold === 1 ? [] : [invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, "must be 1")];
}

function validateProbe(probe: Probe, gracePeriod: number | undefined, path: string): FieldError[] {
  const counts = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] as const;
  return [
    ...validateHandler(probe, gracePeriod, path),
    ...counts.flatMap((field) => validateNonNegative(`${path}.${field}`, probe[field])),
    ...validatePositive(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds),
  ];
}

export function validateLifecycle(lifecycle: Lifecycle | undefined, gracePeriod: number | undefined, path: string): FieldError[] {
  return (["postStart", "preStop"] as const).flatMap((field) => {
    const handler = lifecycle?.[field];
    return handler === undefined ? [] : validateHandler(handler, gracePeriod, `${path}.${field}`);
  });
}

/** Exactly one way to act; only the first of several is looked into. */
function validateHandler(handler: Handler, gracePeriod: number | undefined, path: string): FieldError[] {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  const ways: readonly (readonly [string, (() => FieldError[]) | undefined])[] = [
    ["exec", exec && (() => ((exec.command?.length ?? 0) === 0 ? [required(`${path}.exec.command`)] : []))],
    ["httpGet", httpGet && (() => validateHttpGet(httpGet, `${path}.httpGet`))],
    ["tcpSocket", tcpSocket && (() => validatePortOrName(`${path}.tcpSocket.port`, tcpSocket.port))],
    ["grpc", grpc && (() => validatePort(`${path}.grpc.port`, grpc.port))],
    ["sleep", sleep && (() => validateSleep(sleep.seconds, gracePeriod, `${path}.sleep`))],
  ];
  const given = ways.filter(([, validate]) => validate !== undefined);
  const [first, ...rest] = given;
  if (first === undefined) return [required(path, "must specify a handler type")];
  return [...(first[1]?.() ?? []), ...rest.map(([name]) => forbidden(`${path}.${name}`, "may not specify more than 1 handler type"))];
}

function validateHttpGet({ path: target = "", port, scheme, httpHeaders = [] }: HTTPGetAction, path: string): FieldError[] {
  return [
    ...(target === "" ? [required(`${path}.path`)] : []),
    ...validatePortOrName(`${path}.port`, port),
    ...validateEnum(`${path}.scheme`, scheme, ["HTTP", "HTTPS"]),
    ...httpHeaders.flatMap(({ name }) => validateText(`${path}.httpHeaders`, name ?? "", httpHeaderName)),
  ];
}

function validateSleep(seconds: number, gracePeriod: number | undefined, path: string): FieldError[] {
  if (gracePeriod === undefined || (seconds >= 0 && seconds <= gracePeriod)) return [];
  return [invalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`)];
}
