/**
 * Reads manifests: YAML (several documents) or JSON, with the line and column of everything, so that an error of the API can
 * be shown where a person finds it. YAML is read as kubectl reads it (sigs.k8s.io/yaml, that is go-yaml 2): 1.2 scalars plus
 * the `yes`, `no`, `on`, `off` booleans and the `0644` numbers of 1.1, duplicate keys refused.
 */
import type { Document, LineCounter, Node } from "yaml";
import type { KubeObject } from "./object.ts";

export interface Manifest {
  readonly object: KubeObject;
  /** The file's name, or what stands for it. */
  readonly source: string;
  /** Of the document's first line that says something; from 1. */
  readonly line: number;
  /** Where a field stands; see `locate`. */
  readonly positions: Positions;
}

/** `find(["spec", "ports", 0])` → where that node begins. */
export interface Positions {
  find(path: readonly (string | number)[]): Position | undefined;
}

export interface Position {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface ManifestError extends Position {
  readonly source: string;
  readonly message: string;
}

export interface Manifests {
  readonly objects: readonly Manifest[];
  readonly errors: readonly ManifestError[];
}

/** More aliases than any manifest has: keeps a "billion laughs" document small. */
const maxAliases = 100;

/** Characters; more is no manifest: the API takes 3 MiB per object. */
const maxLength = 32 * 1024 * 1024;

/** A document that cannot be read is an error; the others are read all the same. `kind: List` gives its items. */
export async function readManifests(text: string, source: string): Promise<Manifests> {
  if (text.length > maxLength) {
    return { objects: [], errors: [{ source, line: 1, column: 1, message: `larger than ${maxLength / 1024 / 1024} MiB` }] };
  }
  const { LineCounter, parseAllDocuments } = await import("yaml");
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    version: "1.2",
    schema: "core",
    uniqueKeys: true,
    prettyErrors: false,
    merge: true,
    // Before the 1.2 ones, which would read 0644 as 644.
    customTags: (tags) => [...oldScalars, ...tags],
  });
  const objects: Manifest[] = [];
  const errors: ManifestError[] = [];
  for (const document of documents as Iterable<Document.Parsed>) readDocument(document, source, lines, objects, errors);
  return { objects, errors };
}

/**
 * What kubectl's reader takes from YAML 1.1, unquoted: `yes`, `on`, `no`, `off` as booleans, and Go's integers: `0644` is 420 (file
 * modes are written so), `0b11` is 3, `1_000` is 1000.
 */
const oldScalars = [
  {
    tag: "tag:yaml.org,2002:bool",
    default: true,
    test: /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/,
    resolve: (text: string) => /^[yY]|^[oO][nN]$/.test(text),
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?(?:0b[01_]+|0[0-7_]+|[1-9][0-9]*_[0-9_]*)$/,
    resolve: goInteger,
  },
] as never;

function goInteger(text: string): number {
  const digits = text.replace(/[_+-]/g, "");
  const magnitude = digits.startsWith("0b")
    ? Number.parseInt(digits.slice(2), 2)
    : Number.parseInt(digits, digits.startsWith("0") ? 8 : 10);
  return text.startsWith("-") ? -magnitude : magnitude;
}

function readDocument(document: Document.Parsed, source: string, lines: LineCounter, objects: Manifest[], errors: ManifestError[]): void {
  if (document.errors.length > 0) {
    const [first] = document.errors;
    const at = position(lines, first?.pos[0] ?? 0);
    errors.push({ source, ...at, message: `${(first?.message ?? "").replace(/\s+at line \d+.*$/s, "")}` });
    return;
  }
  const start = position(lines, document.contents?.range?.[0] ?? 0);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: maxAliases });
  } catch (error) {
    errors.push({ source, ...start, message: (error as Error).message });
    return;
  }
  if (value === null || value === undefined) return; // only comments
  if (typeof value !== "object" || Array.isArray(value)) {
    errors.push({
      source,
      ...start,
      message: `a manifest is an object with apiVersion and kind, not ${Array.isArray(value) ? "a list" : `the ${typeof value} ${JSON.stringify(value)}`}`,
    });
    return;
  }
  collect(value as Readonly<Record<string, unknown>>, [], { document, source, lines }, objects, errors);
}

interface Context {
  readonly document: Document.Parsed;
  readonly source: string;
  readonly lines: LineCounter;
}

function collect(
  value: Readonly<Record<string, unknown>>,
  path: readonly (string | number)[],
  context: Context,
  objects: Manifest[],
  errors: ManifestError[],
): void {
  const { source } = context;
  const positions: Positions = { find: (inner) => find(context, [...path, ...inner]) };
  const at = positions.find([]) ?? { line: 1, column: 1 };
  if (value["kind"] === "List" && value["apiVersion"] === "v1" && Array.isArray(value["items"])) {
    for (const [i, item] of (value["items"] as unknown[]).entries()) {
      if (typeof item === "object" && item !== null && !Array.isArray(item))
        collect(item as Readonly<Record<string, unknown>>, [...path, "items", i], context, objects, errors);
      else errors.push({ source, ...(positions.find(["items", i]) ?? at), message: "an item of a List is an object" });
    }
    return;
  }
  for (const field of ["apiVersion", "kind"]) {
    if (typeof value[field] !== "string" || value[field] === "") {
      errors.push({ source, ...(positions.find([field]) ?? at), message: `${field} is not set` });
      return;
    }
  }
  const { metadata } = value;
  if (metadata !== undefined && (typeof metadata !== "object" || metadata === null || Array.isArray(metadata))) {
    errors.push({ source, ...(positions.find(["metadata"]) ?? at), message: "metadata is an object" });
    return;
  }
  objects.push({ object: { ...value, metadata: metadata ?? {} } as KubeObject, source, line: at.line, positions });
}

/** The node at `path`, or of its nearest ancestor that is there. */
function find({ document, lines }: Context, path: readonly (string | number)[]): Position | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node = (length === 0 ? document.contents : document.getIn(path.slice(0, length), true)) as Node | null | undefined;
    const range = typeof node === "object" && node !== null ? node.range : undefined;
    if (range !== undefined && range !== null) return position(lines, range[0]);
  }
  return undefined;
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Where the field of an API error stands: `spec.ports[0].port`, `metadata.labels[app]`, `data["a.b"]`. */
export function locate(manifest: Manifest, field: string): Position | undefined {
  return manifest.positions.find(parseFieldPath(field));
}

function parseFieldPath(field: string): readonly (string | number)[] {
  return [...field.matchAll(/\[(\d+)\]|\[([^\]]*)\]|([^.[\]]+)/g)].map(([, index, key, name]) =>
    index !== undefined ? Number(index) : key !== undefined ? key.replace(/^"|"$/g, "") : (name as string),
  );
}
