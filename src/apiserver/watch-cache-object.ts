/**
 * One version of one object as bytes. The stored value is JSON that begins with kind, apiVersion and metadata and has no
 * `resourceVersion`; what is held and sent has it spliced in as the first member of metadata. Parsing waits until
 * somebody asks, and the parsed object is kept only as long as somebody holds it: an object that no informer of this
 * process looks at costs its bytes.
 */
import type { KubeObject } from "../api/object.ts";
import { FairleadError } from "../lib/errors.ts";
import { deepFreeze } from "../lib/freeze.ts";
import type { CachedObject } from "./store.ts";

/** Within JSON text this cannot stand inside of a string: there the quotes would be escaped. */
const metadataStart = Buffer.from('"metadata":{');
const revisionStart = Buffer.from('"resourceVersion":"');

/** The value to store. */
export function encodeValue(object: KubeObject): Buffer {
  const { kind, apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _, ...ownMetadata } = metadata;
  return Buffer.from(JSON.stringify({ kind, apiVersion, metadata: ownMetadata, ...rest }));
}

/** The stored value with its revision. Throws FL_STORAGE when it is no object of the API. */
export function spliceRevision(key: string, value: Uint8Array, revision: number): Buffer {
  const from = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const found = from.indexOf(metadataStart);
  if (found < 0) throw new FairleadError("FL_STORAGE", `what is stored as ${key} is not an object of the API`);
  const at = found + metadataStart.length;
  const comma = from[at] === "}".charCodeAt(0) ? "" : ",";
  return concat(from.subarray(0, at), Buffer.from(`"resourceVersion":"${revision}"${comma}`), from.subarray(at));
}

/** The same object with another revision: for the last state of what was deleted. */
function replaceRevision(bytes: Buffer, revision: number): Buffer {
  const start = bytes.indexOf(metadataStart) + metadataStart.length + revisionStart.length;
  return concat(bytes.subarray(0, start), Buffer.from(String(revision)), bytes.subarray(bytes.indexOf('"', start)));
}

/** Memory of its own: a slice of Node's shared pool would keep the whole pool alive for as long as the object lives. */
function concat(...parts: readonly Buffer[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) offset += part.copy(whole, offset);
  return whole;
}

abstract class Version implements CachedObject {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  #object: WeakRef<KubeObject> | undefined;

  constructor(key: string, createRevision: number, revision: number) {
    this.key = key;
    this.createRevision = createRevision;
    this.revision = revision;
  }

  abstract bytes(): Buffer;

  object(): KubeObject {
    const kept = this.#object?.deref();
    if (kept !== undefined) return kept;
    const object = deepFreeze(JSON.parse(this.bytes().toString("utf8")) as KubeObject);
    this.#object = new WeakRef(object);
    return object;
  }
}

/** A version as it was written. */
export class StoredVersion extends Version {
  readonly #bytes: Buffer;

  constructor(key: string, value: Uint8Array, createRevision: number, revision: number) {
    super(key, createRevision, revision);
    this.#bytes = spliceRevision(key, value, revision);
  }

  bytes(): Buffer {
    return this.#bytes;
  }

  /** As it is stored: without the revision. */
  value(): Buffer {
    const bytes = this.#bytes;
    const start = bytes.indexOf(metadataStart) + metadataStart.length;
    const end = bytes.indexOf('"', start + revisionStart.length) + 1;
    return concat(bytes.subarray(0, start), bytes.subarray(bytes[end] === ",".charCodeAt(0) ? end + 1 : end));
  }

  /** How much it holds in memory. */
  get size(): number {
    return this.#bytes.length;
  }
}

/** The last state of an object that is gone, from the store or from somebody's view; made when asked for. */
export class LastVersion extends Version {
  readonly #last: StoredVersion;

  constructor(last: StoredVersion, revision: number) {
    super(last.key, last.createRevision, revision);
    this.#last = last;
  }

  bytes(): Buffer {
    return replaceRevision(this.#last.bytes(), this.revision);
  }
}
