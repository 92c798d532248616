/** `env` and `envFrom` of a container (validation.go `ValidateEnv`, `ValidateEnvFrom`). */
import { invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { configMapKey, dns1123Subdomain, qualifiedName, relaxedEnvVarName } from "../names.ts";
import type { Container, EnvFromSource, EnvVar, ObjectFieldSelector } from "../types.ts";
import { validateText } from "./values.ts";

/** What the downward API can put into a variable. */
const envFields: readonly string[] = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

const envSources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"] as const;

export function validateEnvironment({ env = [], envFrom = [] }: Container, path: string): FieldError[] {
  return [
    ...env.flatMap((variable, index) => validateVariable(variable, `${path}.env[${index}]`)),
    ...envFrom.flatMap((source, index) => validateSource(source, `${path}.envFrom[${index}]`)),
  ];
}

function validateVariable(variable: EnvVar, path: string): FieldError[] {
  const name = variable.name ?? "";
  const errors = name === "" ? [required(`${path}.name`)] : validateText(`${path}.name`, name, relaxedEnvVarName);
  return [...errors, ...validateValueFrom(variable, `${path}.valueFrom`)];
}

function validateValueFrom({ value = "", valueFrom }: EnvVar, path: string): FieldError[] {
  if (valueFrom === undefined) return [];
  const errors: FieldError[] = [];
  const { fieldRef, configMapKeyRef, secretKeyRef, resourceFieldRef } = valueFrom;
  if (fieldRef !== undefined) errors.push(...validateFieldRef(fieldRef, envFields, `${path}.fieldRef`));
  if (resourceFieldRef !== undefined && (resourceFieldRef.resource ?? "") === "")
    errors.push(required(`${path}.resourceFieldRef.resource`));
  if (configMapKeyRef !== undefined) errors.push(...validateKeyRef(configMapKeyRef, `${path}.configMapKeyRef`));
  if (secretKeyRef !== undefined) errors.push(...validateKeyRef(secretKeyRef, `${path}.secretKeyRef`));
  const sources = envSources.filter((source) => valueFrom[source] !== undefined).length;
  if (sources === 0) {
    const all = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
    errors.push(invalid(path, "", all));
  } else if (value !== "") errors.push(invalid(path, "", "may not be specified when `value` is not empty"));
  else if (sources > 1) errors.push(invalid(path, "", "may not have more than one field specified at a time"));
  return errors;
}

function validateKeyRef({ name = "", key = "" }: { readonly name?: string | undefined; readonly key: string }, path: string): FieldError[] {
  return [
    ...validateText(`${path}.name`, name, dns1123Subdomain),
    ...(key === "" ? [required(`${path}.key`)] : validateText(`${path}.key`, key, configMapKey)),
  ];
}

/** A field of the pod; labels and annotations may be picked by key: `metadata.labels['app']`. */
export function validateFieldRef(
  { apiVersion = "", fieldPath = "" }: ObjectFieldSelector,
  allowed: readonly string[],
  path: string,
): FieldError[] {
  if (apiVersion === "") return [required(`${path}.apiVersion`)];
  if (fieldPath === "") return [required(`${path}.fieldPath`)];
  const subscript = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(fieldPath);
  if (subscript !== null) return validateText(`${path}.fieldPath`, subscript[2] as string, qualifiedName);
  return allowed.includes(fieldPath) ? [] : [notSupported(`${path}.fieldPath`, fieldPath, allowed)];
}

function validateSource(source: EnvFromSource, path: string): FieldError[] {
  const { prefix = "", configMapRef, secretRef } = source;
  const errors = prefix === "" ? [] : validateText(`${path}.prefix`, prefix, relaxedEnvVarName);
  if (configMapRef !== undefined) errors.push(...validateText(`${path}.configMapRef.name`, configMapRef.name ?? "", dns1123Subdomain));
  if (secretRef !== undefined) errors.push(...validateText(`${path}.secretRef.name`, secretRef.name ?? "", dns1123Subdomain));
  if (configMapRef === undefined && secretRef === undefined)
    errors.push(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
  if (configMapRef !== undefined && secretRef !== undefined)
    errors.push(invalid(path, "", "may not have more than one field specified at a time"));
  return errors;
}
