/** The environment of a container, as upstream's `makeEnvironmentVariables` (pkg/kubelet/kubelet_pods.go) builds it. */
import type { ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret } from "../api/types.ts";
import { expand } from "./expansion.ts";
import { fieldValue, type PodFacts } from "./pod-fields.ts";
import { resourceValue } from "./resource-fields.ts";

/** Objects of the pod's namespace by name; undefined: there is none. */
export interface PodSources {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
}

export interface EnvironmentInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly facts: PodFacts;
  readonly sources: PodSources;
  /** What the runtime and the cluster set; the container's own settings win over it, and may refer to it. */
  readonly base: Readonly<Record<string, string>>;
  /** The Services' variables; the container's own settings win over them too. */
  readonly services: Readonly<Record<string, string>>;
}

export type EnvironmentResult =
  | { readonly kind: "ok"; readonly env: Readonly<Record<string, string>>; readonly skipped: readonly string[] }
  /** Reason CreateContainerConfigError; upstream's text. */
  | { readonly kind: "error"; readonly message: string };

/** `skipped`: keys of `envFrom` that are no valid names of variables. */
export function containerEnvironment(input: EnvironmentInput): EnvironmentResult {
  const own: Record<string, string> = {};
  const skipped: string[] = [];
  try {
    for (const from of input.container.envFrom ?? []) {
      const data = from.configMapRef === undefined ? secretData(from.secretRef, input) : configMapData(from.configMapRef, input);
      for (const [key, value] of Object.entries(data)) {
        const name = `${from.prefix ?? ""}${key}`;
        if (/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name)) own[name] = value;
        else skipped.push(name);
      }
    }
    for (const variable of input.container.env ?? []) {
      const value = variableValue(variable, input, (name) => own[name] ?? input.services[name] ?? input.base[name]);
      if (value !== undefined) own[variable.name] = value;
    }
  } catch (error) {
    if (error instanceof MissingSource) return { kind: "error", message: error.message };
    throw error;
  }
  return { kind: "ok", env: { ...input.base, ...input.services, ...own }, skipped };
}

/** `command` and `args` with `$(NAME)` replaced. */
export function expandAll(words: readonly string[] | undefined, env: Readonly<Record<string, string>>): readonly string[] {
  return (words ?? []).map((word) => expand(word, (name) => env[name]));
}

class MissingSource extends Error {}

function variableValue(
  { value, valueFrom }: EnvVar,
  input: EnvironmentInput,
  known: (name: string) => string | undefined,
): string | undefined {
  if (valueFrom === undefined) return expand(value ?? "", known);
  return sourceValue(valueFrom, input);
}

function sourceValue(source: EnvVarSource, input: EnvironmentInput): string | undefined {
  if (source.fieldRef !== undefined) {
    const value = fieldValue(input.pod, input.facts, source.fieldRef.fieldPath);
    if (value === undefined) throw new MissingSource(`unsupported fieldPath: ${source.fieldRef.fieldPath}`);
    return value;
  }
  if (source.resourceFieldRef !== undefined) return resourceValue(input.pod, input.container, source.resourceFieldRef, input.facts);
  const { configMapKeyRef, secretKeyRef } = source;
  if (configMapKeyRef !== undefined) {
    const value = configMapData(configMapKeyRef, input)[configMapKeyRef.key];
    return found(
      value,
      configMapKeyRef.optional,
      `couldn't find key ${configMapKeyRef.key} in ConfigMap ${input.pod.metadata.namespace}/${configMapKeyRef.name}`,
    );
  }
  if (secretKeyRef !== undefined) {
    const value = secretData(secretKeyRef, input)[secretKeyRef.key];
    return found(
      value,
      secretKeyRef.optional,
      `couldn't find key ${secretKeyRef.key} in Secret ${input.pod.metadata.namespace}/${secretKeyRef.name}`,
    );
  }
  throw new MissingSource("this source of a variable is not supported by this node");
}

function found(value: string | undefined, optional: boolean | undefined, message: string): string | undefined {
  if (value === undefined && optional !== true) throw new MissingSource(message);
  return value;
}

interface SourceRef {
  readonly name?: string | undefined;
  readonly optional?: boolean | undefined;
}

function configMapData(ref: SourceRef, { sources }: EnvironmentInput): Readonly<Record<string, string>> {
  const object = sources.configMap(ref.name ?? "");
  if (object === undefined && ref.optional !== true) throw new MissingSource(`configmap "${ref.name}" not found`);
  return object?.data ?? {};
}

function secretData(ref: SourceRef | undefined, { sources }: EnvironmentInput): Readonly<Record<string, string>> {
  if (ref === undefined) return {};
  const object = sources.secret(ref.name ?? "");
  if (object === undefined && ref.optional !== true) throw new MissingSource(`secret "${ref.name}" not found`);
  return Object.fromEntries(Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]));
}
