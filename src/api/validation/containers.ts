/** Containers of a pod (validation.go `validateContainers`, `validateInitContainers`, `validateContainerCommon`). */
import { duplicate, forbidden, invalid, notFound, required, type FieldError } from "../field-error.ts";
import { dns1123Label, portName } from "../names.ts";
import type { Container, ContainerPort, PodSpec, VolumeMount } from "../types.ts";
import { validateEnvironment } from "./environment.ts";
import { validateLifecycle, validateProbes } from "./probes.ts";
import { validateResources } from "./quantities.ts";
import { protocols, validateEnum, validatePort, validateText } from "./values.ts";
import { validateRelativePath } from "./volumes.ts";

const initOnlyAlways = "may not be set for init containers without restartPolicy=Always";

export function validateContainers(spec: PodSpec, volumes: ReadonlySet<string>, path: string): FieldError[] {
  const containers = spec.containers ?? [];
  if (containers.length === 0) return [required(path)];
  const names = containers.map(({ name }) => name);
  return [
    ...containers.flatMap((container, index) => {
      const item = `${path}[${index}]`;
      return [
        ...validateContainer(container, volumes, item),
        ...((container.name ?? "") !== "" && names.indexOf(container.name) < index ? [duplicate(`${item}.name`, container.name)] : []),
        ...validateLifecycle(container.lifecycle, spec.terminationGracePeriodSeconds, `${item}.lifecycle`),
        ...validateProbes(container, spec.terminationGracePeriodSeconds, item),
        ...(container.restartPolicy === undefined
          ? []
          : validateEnum(`${item}.restartPolicy`, container.restartPolicy, ["Always", "Never", "OnFailure"])),
      ];
    }),
    ...validateHostPorts(containers, path, spec.hostNetwork === true),
  ];
}

export function validateInitContainers(spec: PodSpec, volumes: ReadonlySet<string>, path: string): FieldError[] {
  const names = new Set((spec.containers ?? []).map(({ name }) => name));
  return (spec.initContainers ?? []).flatMap((container, index) => {
    const item = `${path}[${index}]`;
    const errors = validateContainer(container, volumes, item);
    if (names.has(container.name)) errors.push(duplicate(`${item}.name`, container.name));
    names.add(container.name);
    if (container.restartPolicy !== undefined) {
      errors.push(...validateEnum(`${item}.restartPolicy`, container.restartPolicy, ["Always", "Never", "OnFailure"]));
    }
    return [
      ...errors,
      ...(container.restartPolicy === "Always" ? validateSidecar(container, spec, item) : validateRunToEnd(container, item)),
    ];
  });
}

function validateSidecar(container: Container, spec: PodSpec, path: string): FieldError[] {
  return [
    ...validateLifecycle(container.lifecycle, spec.terminationGracePeriodSeconds, `${path}.lifecycle`),
    ...validateProbes(container, spec.terminationGracePeriodSeconds, path),
  ];
}

/** A container that ends before the next one starts has no life to probe. */
function validateRunToEnd(container: Container, path: string): FieldError[] {
  return (["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const)
    .filter((field) => container[field] !== undefined)
    .map((field) => forbidden(`${path}.${field}`, initOnlyAlways));
}

function validateContainer(container: Container, volumes: ReadonlySet<string>, path: string): FieldError[] {
  const { name = "", image = "", securityContext } = container;
  const errors = name === "" ? [required(`${path}.name`)] : validateText(`${path}.name`, name, dns1123Label);
  if (image === "") errors.push(required(`${path}.image`));
  return [
    ...errors,
    ...validateEnum(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, ["FallbackToLogsOnError", "File"]),
    ...validatePorts(container.ports ?? [], `${path}.ports`),
    ...validateEnvironment(container, path),
    ...validateMounts(container.volumeMounts ?? [], volumes, `${path}.volumeMounts`),
    ...validateEnum(`${path}.imagePullPolicy`, container.imagePullPolicy, ["Always", "IfNotPresent", "Never"]),
    ...validateResources(container.resources ?? {}, `${path}.resources`),
    ...validateSecurity(securityContext, `${path}.securityContext`),
  ];
}

function validateSecurity(context: Container["securityContext"], path: string): FieldError[] {
  if (context === undefined) return [];
  const unprivileged = context.allowPrivilegeEscalation === false;
  const clash = (what: string) => [invalid(path, context, `cannot set \`allowPrivilegeEscalation\` to false and ${what}`)];
  return [
    ...(unprivileged && context.privileged === true ? clash("`privileged` to true") : []),
    ...(unprivileged && context.capabilities?.add?.includes("CAP_SYS_ADMIN") === true ? clash("`capabilities.Add` CAP_SYS_ADMIN") : []),
  ];
}

function validatePorts(ports: readonly ContainerPort[], path: string): FieldError[] {
  const names = ports.map(({ name }) => name ?? "");
  return ports.flatMap((port, index) => {
    const item = `${path}[${index}]`;
    const name = names[index] as string;
    const faults = name === "" ? [] : validateText(`${item}.name`, name, portName);
    const repeated = name !== "" && faults.length === 0 && names.indexOf(name) < index;
    return [
      ...faults,
      ...(repeated ? [duplicate(`${item}.name`, name)] : []),
      ...((port.containerPort ?? 0) === 0
        ? [required(`${item}.containerPort`)]
        : validatePort(`${item}.containerPort`, port.containerPort)),
      ...((port.hostPort ?? 0) === 0 ? [] : validatePort(`${item}.hostPort`, port.hostPort)),
      ...validateEnum(`${item}.protocol`, port.protocol, protocols),
    ];
  });
}

/** Two containers cannot have one port of the host; on the host's network a container port is one. */
function validateHostPorts(containers: readonly Container[], path: string, hostNetwork: boolean): FieldError[] {
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [at, { ports = [] }] of containers.entries()) {
    for (const [index, { protocol, hostIP = "", hostPort = 0, containerPort }] of ports.entries()) {
      const field = `${path}[${at}].ports[${index}].hostPort`;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (hostPort !== 0 && seen.has(key)) errors.push(duplicate(field, key));
      seen.add(key);
      if (hostNetwork && hostPort !== 0 && hostPort !== containerPort) {
        errors.push(invalid(field, hostPort, "must match `containerPort` when `hostNetwork` is true"));
      }
    }
  }
  return errors;
}

function validateMounts(mounts: readonly VolumeMount[], volumes: ReadonlySet<string>, path: string): FieldError[] {
  const paths = mounts.map(({ mountPath }) => mountPath);
  return mounts.flatMap((mount, index) => {
    const item = `${path}[${index}]`;
    const { name = "", mountPath = "", subPath = "", subPathExpr = "" } = mount;
    const errors = name === "" ? [required(`${item}.name`)] : volumes.has(name) ? [] : [notFound(`${item}.name`, name)];
    if (mountPath === "") errors.push(required(`${item}.mountPath`));
    if (paths.indexOf(mountPath) < index) errors.push(invalid(`${item}.mountPath`, mountPath, "must be unique"));
    if (subPath !== "") errors.push(...validateRelativePath(`${item}.subPath`, subPath));
    if (subPathExpr === "") return errors;
    if (subPath !== "") errors.push(invalid(`${item}.subPathExpr`, subPathExpr, "subPathExpr and subPath are mutually exclusive"));
    return [...errors, ...validateRelativePath(`${item}.subPathExpr`, subPathExpr)];
  });
}
