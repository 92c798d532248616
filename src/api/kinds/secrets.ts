/** Secrets (core/v1). */
import { invalid, required, tooLong, type FieldError } from "../field-error.ts";
import { configMapKey } from "../names.ts";
import type { Draft } from "../object.ts";
import { secrets } from "../resources.ts";
import type { Secret } from "../types.ts";
import { base64Bytes, maxDataBytes, validateImmutableData } from "../validation/data.ts";
import { ageColumn, defineKind, integer, nameColumn, text } from "./define.ts";

const serviceAccountName = "kubernetes.io/service-account.name";

/** `stringData` is a way to write `data`: it is never stored. */
function applyDefaults(secret: Draft<Secret>): void {
  secret.type ||= "Opaque";
  for (const [key, value] of Object.entries(secret.stringData ?? {})) (secret.data ??= {})[key] = Buffer.from(value).toString("base64");
  delete secret.stringData;
}

function validate(secret: Secret, old: Secret | undefined): FieldError[] {
  const errors: FieldError[] = [];
  if (old !== undefined) {
    if (secret.type !== old.type) errors.push(invalid("type", secret.type, "field is immutable"));
    errors.push(...validateImmutableData(secret, old));
  }
  let size = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    errors.push(...configMapKey(key).map((fault) => invalid(`data[${key}]`, key, fault)));
    size += base64Bytes(value);
  }
  if (size > maxDataBytes) errors.push(tooLong("data", maxDataBytes));
  return [...errors, ...validateType(secret)];
}

function validateType({ type, data = {}, metadata }: Secret): FieldError[] {
  const missing = (...keys: readonly string[]) => keys.filter((key) => !Object.hasOwn(data, key)).map((key) => required(`data[${key}]`));
  switch (type) {
    case "kubernetes.io/service-account-token":
      return (metadata.annotations?.[serviceAccountName] ?? "") === "" ? [required(`metadata.annotations[${serviceAccountName}]`)] : [];
    case "kubernetes.io/dockercfg":
      return validateJson(data, ".dockercfg");
    case "kubernetes.io/dockerconfigjson":
      return validateJson(data, ".dockerconfigjson");
    case "kubernetes.io/basic-auth": {
      const absent = missing("username", "password");
      return absent.length === 2 ? absent : [];
    }
    case "kubernetes.io/ssh-auth":
      return (data["ssh-privatekey"] ?? "") === "" ? [required("data[ssh-privatekey]")] : [];
    case "kubernetes.io/tls":
      return missing("tls.crt", "tls.key");
    default:
      return [];
  }
}

function validateJson(data: Readonly<Record<string, string>>, key: string): FieldError[] {
  const value = data[key];
  if (value === undefined) return [required(`data[${key}]`)];
  try {
    JSON.parse(Buffer.from(value, "base64").toString());
    return [];
  } catch {
    // The parser's own message would quote the secret.
    return [invalid(`data[${key}]`, "<secret contents redacted>", "must be valid JSON")];
  }
}

export const secretKind = defineKind<Secret>({
  resource: secrets,
  definition: "Secret",
  singular: "secret",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  validate,
  selectableFields: { type: ({ type }) => type ?? "" },
  columns: [
    nameColumn,
    text("Type", "What its data is for.", ({ type }) => type ?? ""),
    integer("Data", "How many entries it has.", ({ data }) => Object.keys(data ?? {}).length),
    ageColumn,
  ],
});
