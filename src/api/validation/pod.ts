/**
 * Pods and pod templates (validation.go `ValidatePodSpec`, `ValidatePodCreate`): everything about names, containers, volumes,
 * probes, environment, DNS and scheduling that decides how a pod runs here. Windows options, AppArmor and seccomp
 * annotations, resource claims and vendor volume plugins are stored as they come.
 */
import { duplicate, forbidden, invalid, required, type FieldError } from "../field-error.ts";
import { dns1123Label, dns1123Subdomain, dns1123SubdomainWithUnderscore, qualifiedName, rangeError } from "../names.ts";
import type { Pod, PodSpec, PodTemplateSpec } from "../types.ts";
import { validateIp } from "./addresses.ts";
import { validateContainers, validateInitContainers } from "./containers.ts";
import { validateAnnotations, validateLabels } from "./metadata.ts";
import { validatePodUpdate } from "./pod-update.ts";
import { validateAffinity, validateTolerations, validateTopologySpread } from "./scheduling.ts";
import { validateEnum, validateOptionalEnum, validateText } from "./values.ts";
import { validateVolumes } from "./volumes.ts";

const maxInt32 = 2 ** 31 - 1;

export function validatePod(pod: Pod, old: Pod | undefined): FieldError[] {
  const spec: PodSpec = pod.spec ?? { containers: [] };
  const errors = [...validatePodSpec(spec, "spec"), ...validateImages(spec)];
  if (old !== undefined) return [...errors, ...validatePodUpdate(spec, old.spec ?? { containers: [] })];
  if ((spec.ephemeralContainers?.length ?? 0) > 0) errors.push(forbidden("spec.ephemeralContainers", "cannot be set on create"));
  if ((spec.nodeName ?? "") !== "" && (spec.schedulingGates?.length ?? 0) > 0) {
    errors.push(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  }
  return errors;
}

/** Templates may carry blanks in an image name, which some tools use as a mark; pods may not. */
function validateImages(spec: PodSpec): FieldError[] {
  return (["containers", "initContainers"] as const).flatMap((list) =>
    (spec[list] ?? []).flatMap(({ image = "" }, index) =>
      image.trim() === image ? [] : [invalid(`spec.${list}[${index}].image`, image, "must not have leading or trailing whitespace")],
    ),
  );
}

export function validatePodTemplate(template: PodTemplateSpec, path: string): FieldError[] {
  const spec: PodSpec = template.spec ?? { containers: [] };
  const ephemeral = (spec.ephemeralContainers?.length ?? 0) > 0;
  return [
    ...validateLabels(template.metadata?.labels, `${path}.labels`),
    ...validateAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`),
    ...(ephemeral ? [forbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template")] : []),
  ];
}

export function validatePodSpec(spec: PodSpec, path: string): FieldError[] {
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  return [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...validateContainers(spec, volumes, `${path}.containers`),
    ...validateInitContainers(spec, volumes, `${path}.initContainers`),
    ...validateEnum(`${path}.restartPolicy`, spec.restartPolicy, ["Always", "Never", "OnFailure"]),
    ...validateEnum(`${path}.dnsPolicy`, spec.dnsPolicy, ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...validatePodSecurity(spec, `${path}.securityContext`),
    ...validateAffinity(spec.affinity, `${path}.affinity`),
    ...validateDnsConfig(spec, `${path}.dnsConfig`),
    ...validateGates(spec, path),
    ...validateTopologySpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`),
    ...validateNames(spec, path),
    ...validateDeadline(spec, path),
    ...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`),
    ...validateHostAliases(spec, `${path}.hostAliases`),
    ...validateOptionalEnum(`${path}.preemptionPolicy`, spec.preemptionPolicy, ["Never", "PreemptLowerPriority"]),
    ...(spec.os === undefined ? [] : validateEnum(`${path}.os`, spec.os.name, ["linux", "windows"])),
  ];
}

/** Fields that are the name of something else. */
function validateNames(spec: PodSpec, path: string): FieldError[] {
  const subdomains = ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"] as const;
  const labels = ["hostname", "subdomain"] as const;
  const check = (field: (typeof subdomains)[number] | (typeof labels)[number], rule: typeof dns1123Label) => {
    const value = spec[field] ?? "";
    return value === "" ? [] : validateText(`${path}.${field}`, value, rule);
  };
  return [...subdomains.flatMap((field) => check(field, dns1123Subdomain)), ...labels.flatMap((field) => check(field, dns1123Label))];
}

function validateDeadline({ activeDeadlineSeconds: seconds }: PodSpec, path: string): FieldError[] {
  if (seconds === undefined || (seconds >= 1 && seconds <= maxInt32)) return [];
  return [invalid(`${path}.activeDeadlineSeconds`, seconds, rangeError(1, maxInt32))];
}

const maxId = 0xffffffff;

/** A Unix user or group. */
export function validateId(path: string, id: number | undefined): FieldError[] {
  return id === undefined || (id >= 0 && id <= maxId) ? [] : [invalid(path, id, rangeError(0, maxId))];
}

function validatePodSecurity({ securityContext = {}, shareProcessNamespace, hostPID }: PodSpec, path: string): FieldError[] {
  const shares = shareProcessNamespace === true && hostPID === true;
  const clash = "ShareProcessNamespace and HostPID cannot both be enabled";
  return [
    ...(["fsGroup", "runAsUser", "runAsGroup"] as const).flatMap((field) => validateId(`${path}.${field}`, securityContext[field])),
    ...(securityContext.supplementalGroups ?? []).flatMap((group, index) => validateId(`${path}.supplementalGroups[${index}]`, group)),
    ...(shares ? [invalid(`${path}.shareProcessNamespace`, true, clash)] : []),
    ...validateOptionalEnum(`${path}.fsGroupChangePolicy`, securityContext.fsGroupChangePolicy, ["Always", "OnRootMismatch"]),
  ];
}

/** What a resolv.conf can hold. */
const maxNameservers = 3;
const maxSearches = 32;
const maxSearchBytes = 2048;

function validateDnsConfig({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldError[] {
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  const errors: FieldError[] = [];
  if (dnsPolicy === "None" && dnsConfig === undefined) return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")];
  if (dnsPolicy === "None" && nameservers.length === 0) {
    errors.push(required(`${path}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
  if (nameservers.length > maxNameservers) {
    errors.push(invalid(`${path}.nameservers`, nameservers, `must not have more than ${maxNameservers} nameservers`));
  }
  errors.push(...nameservers.flatMap((server, index) => validateIp(`${path}.nameservers[${index}]`, server)));
  if (searches.length > maxSearches)
    errors.push(invalid(`${path}.searches`, searches, `must not have more than ${maxSearches} search paths`));
  if (Buffer.byteLength(searches.join(" ")) > maxSearchBytes) {
    errors.push(
      invalid(`${path}.searches`, searches, `must not have more than ${maxSearchBytes} characters (including spaces) in the search list`),
    );
  }
  const named = [...searches.entries()].filter(([, search]) => search !== ".");
  errors.push(
    ...named.flatMap(([index, search]) =>
      validateText(`${path}.searches[${index}]`, search.replace(/\.$/, ""), dns1123SubdomainWithUnderscore),
    ),
    ...options.flatMap(({ name = "" }, index) => (name === "" ? [required(`${path}.options[${index}]`, "must not be empty")] : [])),
  );
  return errors;
}

function validateGates({ readinessGates = [], schedulingGates = [] }: PodSpec, path: string): FieldError[] {
  const names = schedulingGates.map(({ name }) => name);
  return [
    ...readinessGates.flatMap((gate, index) =>
      validateText(`${path}.readinessGates[${index}].conditionType`, gate.conditionType ?? "", qualifiedName),
    ),
    ...names.flatMap((name, index) => [
      ...validateText(`${path}.schedulingGates[${index}].name`, name ?? "", qualifiedName),
      ...(names.indexOf(name) < index ? [duplicate(`${path}.schedulingGates[${index}]`, name)] : []),
    ]),
  ];
}

function validateHostAliases({ hostAliases = [] }: PodSpec, path: string): FieldError[] {
  return hostAliases.flatMap(({ ip, hostnames = [] }, index) => [
    ...validateIp(`${path}[${index}].ip`, ip ?? ""),
    ...hostnames.flatMap((name, at) => validateText(`${path}[${index}].hostnames[${at}]`, name, dns1123Subdomain)),
  ]);
}
