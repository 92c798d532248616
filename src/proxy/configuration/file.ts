/**
 * KubeProxyConfiguration files: YAML or JSON, `kubeproxy.config.k8s.io/v1alpha1`. What upstream does with a mistake is done here:
 * a wrong type is refused, a field that it does not know is named in a warning and left out (upstream `loadConfig` in
 * cmd/kube-proxy/app/options.go falls back to lenient decoding). Pure.
 */
import { parseDocument } from "yaml";
import { FairleadError } from "../../lib/errors.ts";
import { formatGoDuration } from "../../lib/go-duration.ts";
import { fields, fieldsByPath, type Field, type FieldValue } from "./fields.ts";
import { valueOfData, type Values } from "./values.ts";

export const apiVersion = "kubeproxy.config.k8s.io/v1alpha1";
export const kind = "KubeProxyConfiguration";
/** A file of kubeadm has 2 KB. */
const maxBytes = 1 << 20;

export interface FileContent {
  readonly values: Values;
  /** Fields that there are none of, and keys that are there twice. */
  readonly warnings: readonly string[];
}

/** Throws FL_CONFIG. `name` is for messages. */
export function readConfiguration(text: string, name: string): FileContent {
  const refuse = (what: string, cause?: unknown) => new FairleadError("FL_CONFIG", `${name}: ${what}`, { cause });
  if (Buffer.byteLength(text) > maxBytes) throw refuse(`more than ${maxBytes} bytes`);
  const document = parseDocument(text, { logLevel: "silent", uniqueKeys: false, strict: true });
  const [error] = document.errors;
  if (error !== undefined) throw refuse(error.message, error);
  const data = document.toJS({ maxAliasCount: 50 }) as unknown;
  if (!isObject(data)) throw refuse("not a KubeProxyConfiguration");
  if (data["apiVersion"] !== apiVersion || data["kind"] !== kind)
    throw refuse(`apiVersion ${text1(data["apiVersion"])}, kind ${text1(data["kind"])}: wanted are ${apiVersion} and ${kind}`);
  const values = new Map<string, FieldValue>();
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(data)) {
    if (key !== "apiVersion" && key !== "kind") gather(key, value, { name, values, warnings });
  }
  return { values, warnings };
}

interface Gathering {
  readonly name: string;
  readonly values: Map<string, FieldValue>;
  readonly warnings: string[];
}

function gather(path: string, data: unknown, into: Gathering): void {
  const field = fieldsByPath.get(path);
  if (field !== undefined) {
    const value = valueOfData(field, data, `${into.name}: ${path}`);
    if (value !== undefined && !isUnset(path, value)) into.values.set(path, value);
    return;
  }
  if (isLogging(path)) return;
  const isSection = fields.some((one) => one.path.startsWith(`${path}.`));
  if (!isSection) return void into.warnings.push(`unknown field "${path}"`);
  if (data === null || data === undefined) return;
  if (!isObject(data)) throw new FairleadError("FL_CONFIG", `${into.name}: ${path} is no object`);
  for (const [key, value] of Object.entries(data)) gather(`${path}.${key}`, value, into);
}

/** Fields that are no pointers upstream: there the zero is as if nothing had been said, and kubeadm writes it so. */
const zeroIsUnset = /(^|\.)(minSyncPeriod|syncPeriod|configSyncPeriod|qps|burst|contentType)$/;

const isUnset = (path: string, value: FieldValue) => (value === 0 || value === "") && zeroIsUnset.test(path);

/** Its shape is that of component-base; the log here has one form. */
const isLogging = (path: string) => path === "logging";

const text1 = (value: unknown) => JSON.stringify(value) ?? "missing";

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The values as a file's content; what is not in `values` has its default. */
export function configurationObject(values: Values): Readonly<Record<string, unknown>> {
  const object: Record<string, unknown> = { apiVersion, kind };
  for (const field of fields) {
    const value = values.get(field.path) ?? field.default;
    const parts = field.path.split(".");
    const last = parts.pop() as string;
    let at = object;
    for (const part of parts) at = (at[part] ??= {}) as Record<string, unknown>;
    at[last] = written(field, value);
  }
  return object;
}

const written = ({ type }: Field, value: FieldValue) => (type === "duration" ? formatGoDuration(value as number) : value);
