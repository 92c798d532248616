/**
 * Brings manifests into the cluster by server-side apply, one object at a time: a broken one is reported with its file,
 * line and column and never stops the others.
 */
import type { KubeObject } from "../api/object.ts";
import { objectKey } from "../api/object.ts";
import { locate, readManifests, type Manifest, type ManifestError } from "../api/manifest.ts";
import { apiVersionOf, type Resource } from "../api/resources.ts";
import { StatusError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import { errorMessage } from "../lib/errors.ts";
import { declaredKinds } from "./declared-kinds.ts";
import type { Source } from "./sources.ts";

export const fieldManager = "fairlead";

/** One thing that is wrong in a manifest, where a person finds it. Lines and columns count from 1. */
export interface Problem {
  readonly source: string;
  readonly line: number;
  readonly column: number;
  /** `Service shop/webapp`; absent when the text could not be read that far. */
  readonly object?: string;
  readonly message: string;
}

export interface Applied {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly result: "created" | "configured" | "unchanged";
}

export interface ApplyResult {
  readonly applied: readonly Applied[];
  readonly problems: readonly Problem[];
  /** `Warning:` headers of the API, with the object they are about. */
  readonly warnings: readonly string[];
}

export interface ReadResult {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
}

/** Reads all sources; those that can be read count even if others cannot. */
export async function readAll(sources: readonly Source[]): Promise<ReadResult> {
  const results = await Promise.all(sources.map(({ text, name }) => readManifests(text, name)));
  return {
    manifests: results.flatMap(({ objects }) => objects),
    problems: results.flatMap(({ errors }) => errors.map(problemOf)),
  };
}

function problemOf({ source, line, column, message }: ManifestError): Problem {
  return { source, line, column, message };
}

export function problemText(problem: Problem): string {
  return `${problem.source}:${problem.line}:${problem.column}: ${problem.object === undefined ? "" : `${problem.object}: `}${problem.message}`;
}

/** Namespaces before what lives in them; otherwise in the order of the files. */
export function inApplyOrder(manifests: readonly Manifest[]): readonly Manifest[] {
  const rank = ({ object }: Manifest) => (object.kind === "Namespace" ? 0 : object.kind === "CustomResourceDefinition" ? 1 : 2);
  return manifests
    .map((manifest, i) => ({ manifest, i }))
    .sort((a, b) => rank(a.manifest) - rank(b.manifest) || a.i - b.i)
    .map(({ manifest }) => manifest);
}

export async function applyAll(
  client: Client,
  served: readonly Resource[],
  manifests: readonly Manifest[],
  namespace = "default",
): Promise<ApplyResult> {
  const applied: Applied[] = [];
  const problems: Problem[] = [];
  const warnings: string[] = [];
  let known = served;
  for (const manifest of inApplyOrder(manifests)) {
    try {
      // Definitions go before what they declare: by now they are there.
      if (known === served && !isKnown(served, manifest.object)) {
        const unknown = manifests.map(({ object }) => object).filter((object) => !isKnown(served, object));
        known = [...served, ...(await declaredKinds(client, unknown))];
      }
      applied.push(await applyOne(client, known, manifest, namespace, warnings));
    } catch (error) {
      problems.push(...problemsOf(manifest, error));
    }
  }
  return { applied, problems, warnings };
}

async function applyOne(
  client: Client,
  served: readonly Resource[],
  { object }: Manifest,
  fallback: string,
  warnings: string[],
): Promise<Applied> {
  const resource = resourceOf(served, object);
  const namespace = resource.namespaced ? (object.metadata.namespace ?? fallback) : undefined;
  const name = object.metadata.name ?? "";
  if (name === "")
    throw new Error(
      object.metadata.generateName === undefined
        ? "metadata.name: Required value"
        : "metadata.generateName: apply needs a name; use 'kubectl create -f' for this one",
    );
  const before = await versionOf(client, resource, namespace, name);
  const wanted = namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } };
  const after = await client.patch(resource, { namespace, name }, "application/apply-patch+yaml", wanted, {
    fieldManager,
    force: true,
    fieldValidation: "Strict",
    onWarning: (text) => void warnings.push(`${describe(object, namespace)}: ${text}`),
  });
  const result = before === undefined ? "created" : before === after.metadata.resourceVersion ? "unchanged" : "configured";
  return { resource, namespace, name, result };
}

async function versionOf(client: Client, resource: Resource, namespace: string | undefined, name: string): Promise<string | undefined> {
  try {
    return (await client.get(resource, { namespace, name })).metadata.resourceVersion;
  } catch (error) {
    if (error instanceof StatusError && error.code === 404) return undefined;
    throw error;
  }
}

function isKnown(served: readonly Resource[], object: KubeObject): boolean {
  return findResource(served, object) !== undefined;
}

function findResource(served: readonly Resource[], { kind, apiVersion }: KubeObject): Resource | undefined {
  return served.find((resource) => resource.kind === kind && apiVersionOf(resource) === apiVersion);
}

function resourceOf(served: readonly Resource[], object: KubeObject): Resource {
  const found = findResource(served, object);
  if (found !== undefined) return found;
  const sameKind = served.filter((resource) => resource.kind === object.kind).map(apiVersionOf);
  const instead =
    sameKind.length > 0
      ? `; it is served in ${sameKind.join(", ")}`
      : `; the kinds served are ${[...new Set(served.map(({ kind }) => kind))].sort().join(", ")}`;
  throw new Error(
    `no matches for kind ${JSON.stringify(object.kind ?? "")} in version ${JSON.stringify(object.apiVersion ?? "")}${instead}`,
  );
}

export function describe(object: KubeObject, namespace = object.metadata.namespace): string {
  return `${object.kind ?? "object"} ${objectKey({ metadata: { name: object.metadata.name ?? object.metadata.generateName, namespace } })}`;
}

/** One problem per field that the API named, each at its own line; otherwise one at the object's first line. */
function problemsOf(manifest: Manifest, error: unknown): Problem[] {
  const object = describe(manifest.object);
  const causes = error instanceof StatusError ? (error.status.details?.causes ?? []) : [];
  const fields = causes.filter(({ field }) => field !== undefined && field !== "" && !field.startsWith("."));
  if (fields.length > 0) {
    return fields.map(({ field = "", message = "" }) => ({ ...at(manifest, field), object, message: `${field}: ${message}` }));
  }
  const message = errorMessage(error);
  const unknown = [...message.matchAll(/unknown field "([^"]+)"/g)].map(([, field]) => field as string);
  if (unknown.length > 0) return unknown.map((field) => ({ ...at(manifest, field), object, message: `unknown field "${field}"` }));
  return [{ ...at(manifest, ""), object, message }];
}

function at(manifest: Manifest, field: string): { source: string; line: number; column: number } {
  return { source: manifest.source, ...(locate(manifest, field) ?? { line: manifest.line, column: 1 }) };
}
