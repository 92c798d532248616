/** What a pod's spec is when its author left it out (`pkg/apis/core/v1/defaults.go`): for pods and for pod templates. */
import type { Draft } from "./object.ts";
import type * as t from "./types.ts";

type PodSpec = Draft<t.PodSpec>;
type Container = Draft<t.Container>;
type Volume = Draft<t.Volume>;

/** `rw-r--r--`, in decimal as the API has it. */
const defaultFileMode = 0o644;

/** Defaults that a template has as well. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.containers ??= [];
  spec.dnsPolicy ||= "ClusterFirst";
  spec.restartPolicy ||= "Always";
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ||= "default-scheduler";
  defaultServiceAccount(spec);
  for (const container of everyContainer(spec)) defaultContainer(container);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
}

/** Defaults of a real pod, on top of those of its spec. */
export function defaultPod(spec: PodSpec): void {
  defaultPodSpec(spec);
  spec.enableServiceLinks ??= true;
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    defaultRequests(container);
    if (spec.hostNetwork === true) for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
}

/** One value under two names: the old name is still read by clients. */
function defaultServiceAccount(spec: PodSpec): void {
  const name = spec.serviceAccountName || spec.serviceAccount;
  if (name === undefined || name === "") return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

function everyContainer(spec: PodSpec): Container[] {
  return [...(spec.containers ?? []), ...(spec.initContainers ?? []), ...((spec.ephemeralContainers ?? []) as Container[])];
}

function defaultContainer(container: Container): void {
  container.imagePullPolicy ||= pullPolicyOf(container.image ?? "");
  container.terminationMessagePath ||= "/dev/termination-log";
  container.terminationMessagePolicy ||= "File";
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ||= "TCP";
  for (const variable of container.env ?? []) if (variable.valueFrom !== undefined) defaultReference(variable.valueFrom);
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe !== undefined) defaultProbe(probe);
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop]) {
    if (handler?.httpGet !== undefined) defaultHttpGet(handler.httpGet);
  }
}

/** Only `latest`, said or unsaid, may change behind a name: it is pulled each time. A digest never changes. */
function pullPolicyOf(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const lastPart = image.slice(image.lastIndexOf("/") + 1);
  const colon = lastPart.indexOf(":");
  const tag = colon < 0 ? "latest" : lastPart.slice(colon + 1);
  return tag === "latest" ? "Always" : "IfNotPresent";
}

function defaultProbe(probe: Draft<t.Probe>): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.httpGet !== undefined) defaultHttpGet(probe.httpGet);
  if (probe.grpc !== undefined) probe.grpc.service ??= "";
}

function defaultHttpGet(action: Draft<t.HTTPGetAction>): void {
  action.path ||= "/";
  action.scheme ||= "HTTP";
}

function defaultReference(source: {
  fieldRef?: Draft<t.ObjectFieldSelector> | undefined;
  resourceFieldRef?: Draft<t.ResourceFieldSelector> | undefined;
}): void {
  if (source.fieldRef !== undefined) source.fieldRef.apiVersion ||= "v1";
  if (source.resourceFieldRef !== undefined) source.resourceFieldRef.divisor ??= "0";
}

/** What is limited and not requested is requested up to the limit. */
function defaultRequests(container: Container): void {
  const { limits } = (container.resources ??= {});
  if (limits === undefined) return;
  const requests = (container.resources.requests ??= {});
  for (const [resource, quantity] of Object.entries(limits)) requests[resource] ??= quantity;
}

/** A volume that names no source is an empty directory. */
function defaultVolume(volume: Volume): void {
  if (Object.keys(volume).every((field) => field === "name")) volume.emptyDir = {};
  if (volume.secret !== undefined) volume.secret.defaultMode ??= defaultFileMode;
  if (volume.configMap !== undefined) volume.configMap.defaultMode ??= defaultFileMode;
  if (volume.hostPath !== undefined) volume.hostPath.type ??= "";
  if (volume.downwardAPI !== undefined) {
    volume.downwardAPI.defaultMode ??= defaultFileMode;
    for (const item of volume.downwardAPI.items ?? []) defaultReference(item);
  }
  if (volume.projected !== undefined) defaultProjected(volume.projected);
  if (volume.ephemeral?.volumeClaimTemplate?.spec !== undefined) volume.ephemeral.volumeClaimTemplate.spec.volumeMode ||= "Filesystem";
}

function defaultProjected(projected: Draft<t.ProjectedVolumeSource>): void {
  projected.defaultMode ??= defaultFileMode;
  for (const source of projected.sources ?? []) {
    for (const item of source.downwardAPI?.items ?? []) defaultReference(item);
    if (source.serviceAccountToken !== undefined) source.serviceAccountToken.expirationSeconds ??= 3600;
  }
}
