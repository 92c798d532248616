/**
 * What the store remembers of one Service: the writes to it, to its EndpointSlices and to the pods of its namespace in the last hour, and
 * what was there before (`GET /fairlead/history`). Of everything else only the beginning of a line is looked at.
 */
import type { KubeObject } from "../api/object.ts";
import { StatusError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import { serviceNameLabel } from "../decide/endpoints/names.ts";
import { refOfKey, type PastVersion } from "../decide/explain/history/past.ts";
import { trimmed } from "./trim.ts";
import type { ServicePast } from "./wire.ts";

const longest = "60m";
/** The newest of them. */
const mostWrites = 2000;

/** Undefined: this cluster keeps no history. */
export async function readServicePast(client: Client, namespace: string, name: string): Promise<ServicePast | undefined> {
  const about = aboutService(namespace, name);
  try {
    const before = await read(client, `at=${longest}`, about);
    return { before, writes: await read(client, `after=${longest}`, about) };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    // Nothing is as old as that: everything there is, from the first revision on.
    if (error.code === 410) return { before: [], writes: await read(client, "after=0", about).catch(() => []) };
    if (error.code === 404) return undefined;
    throw error;
  }
}

type About = (version: PastVersion) => boolean;

function aboutService(namespace: string, name: string): About {
  const slices = new Set<string>();
  return ({ key, object }) => {
    const ref = refOfKey(key);
    if (ref?.namespace !== namespace) return false;
    if (ref.kind === "EndpointSlice" && object?.metadata.labels?.[serviceNameLabel] === name) slices.add(key);
    return ref.kind === "Pod" || (ref.kind === "Service" && ref.name === name) || slices.has(key);
  };
}

async function read(client: Client, query: string, about: About): Promise<readonly PastVersion[]> {
  const found: PastVersion[] = [];
  for await (const line of lines(client.stream(`/fairlead/history?${query}`))) {
    if (!/^\{"key":"\/registry\/(?:services|endpointslices|pods)[./]/.test(line)) continue;
    const { key, revision, time, value } = JSON.parse(line) as Omit<PastVersion, "object"> & { readonly value?: KubeObject };
    const object = value === undefined ? null : written(value, refOfKey(key)?.kind ?? "");
    const version = { key, revision, time, object };
    if (about(version)) found.push(version);
    if (found.length > 2 * mostWrites) found.splice(0, found.length - mostWrites);
  }
  return found.slice(-mostWrites);
}

/** Who wrote it last is told here: the fields of all writers stay behind. */
function written(object: KubeObject, kind: string): KubeObject {
  const [newest] = (object.metadata.managedFields ?? []).toSorted((a, b) => ((a.time ?? "") < (b.time ?? "") ? 1 : -1));
  const plain = trimmed(object, kind);
  if (newest === undefined) return plain;
  const { manager, time } = newest;
  return {
    ...plain,
    metadata: {
      ...plain.metadata,
      managedFields: [{ ...(manager === undefined ? {} : { manager }), ...(time === undefined ? {} : { time }) }],
    },
  };
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = pieces.pop() ?? "";
    yield* pieces;
  }
}
