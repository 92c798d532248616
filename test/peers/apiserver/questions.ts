/** What both servers are asked: Services as people and fuzzers write them, and one of each kind with every field spoilt in turn. */
import fc from "fast-check";
import type { Question } from "./peer.ts";
import { metadata, service } from "./services.ts";

/** Questions that build on each other, on objects of their own that are gone before and afterwards. */
export interface Round {
  readonly label: string;
  readonly questions: readonly Question[];
  /** Paths to be removed afterwards. */
  readonly remove: readonly string[];
}

const services = "/api/v1/namespaces/default/services";
const web = `${services}/web`;

/** Create, then change in one of the ways there are, then look. */
export function serviceRounds(count: number, seed: number): readonly Round[] {
  const change = fc.constantFrom("put", "merge", "strategic", "apply");
  return fc
    .sample(fc.tuple(metadata, service, metadata, service, change), { numRuns: count, seed })
    .map(([first, spec, second, next, how]) => ({
      label: "Service",
      questions: [
        { method: "POST", path: services, body: { apiVersion: "v1", kind: "Service", metadata: first, spec } },
        changed(how, { apiVersion: "v1", kind: "Service", metadata: { ...second, name: "web", generateName: undefined }, spec: next }),
        { method: "GET", path: web },
      ],
      remove: [web, `${services}/0web`],
    }));
}

function changed(how: string, body: { readonly spec: object; readonly [field: string]: unknown }): Question {
  switch (how) {
    case "put":
      return { method: "PUT", path: web, body };
    case "merge":
      return { method: "PATCH", path: web, body: { spec: body.spec }, type: "application/merge-patch+json" };
    case "strategic":
      return { method: "PATCH", path: web, body: { spec: body.spec }, type: "application/strategic-merge-patch+json" };
    default:
      return { method: "PATCH", path: `${web}?fieldManager=me&force=true`, body, type: "application/apply-patch+yaml" };
  }
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

type Steps = readonly (string | number)[];

const bad: readonly unknown[] = ["", "BAD_value!", -1, 0, 99999999, null, [], {}, true];

/** `collection`: the path of the manifest's kind. */
export function spoiltRound(manifest: Manifest, collection: string): Round {
  const path = `${collection}/${manifest.metadata.name}`;
  const places = [...steps(manifest, [])].filter(([first]) => first !== "apiVersion" && first !== "kind");
  const spoilt = places.flatMap((place) => [without(manifest, place), ...bad.map((value) => withValue(manifest, place, value))]);
  const named = (body: object) => (body as Partial<Manifest>).metadata?.name === manifest.metadata.name;
  return {
    label: manifest.kind,
    questions: [
      ...spoilt.map((body): Question => ({ method: "POST", path: `${collection}?dryRun=All`, body })),
      { method: "POST", path: collection, body: manifest },
      ...spoilt.filter(named).map((body): Question => ({ method: "PUT", path: `${path}?dryRun=All`, body })),
    ],
    remove: [path],
  };
}

function* steps(value: unknown, at: Steps): Generator<Steps> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    const next = [...at, Array.isArray(value) ? Number(key) : key];
    yield next;
    yield* steps(child, next);
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- any manifest
function changedAt(manifest: object, place: Steps, change: (parent: any, key: string | number) => void): object {
  const copy = structuredClone(manifest);
  // oxlint-disable-next-line typescript/no-explicit-any -- any manifest
  let parent = copy as any;
  for (const key of place.slice(0, -1)) parent = parent[key];
  change(parent, place.at(-1) as string | number);
  return copy;
}

const withValue = (manifest: object, place: Steps, value: unknown) => changedAt(manifest, place, (parent, key) => (parent[key] = value));

const without = (manifest: object, place: Steps) =>
  changedAt(manifest, place, (parent, key) => (Array.isArray(parent) ? parent.splice(Number(key), 1) : delete parent[key]));
