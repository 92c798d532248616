/** The past of a running Fairlead, as its API tells it (`GET /fairlead/history`). */
import type { KubeObject } from "../../api/object.ts";
import { StatusError } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import type { PastVersion } from "../../decide/explain/history/past.ts";
import { FairleadError } from "../../lib/errors.ts";
import { readLines } from "../../storage/snapshot/lines.ts";

export interface PastState {
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly versions: readonly PastVersion[];
}

/** What was there at a moment: a time, a while ago (`5m`), a revision. Throws FL_UNSUPPORTED, FL_USAGE. */
export async function readPast(client: Client, at: string): Promise<PastState> {
  const { head, versions } = await read(client, `at=${encodeURIComponent(at)}`);
  return { revision: head.revision ?? 0, time: head.time ?? 0, versions };
}

/** What was written after a revision, up to a moment; undefined: until now. */
export async function readWrites(client: Client, after: number, to: string | undefined): Promise<readonly PastVersion[]> {
  return (await read(client, `after=${after}${to === undefined ? "" : `&to=${encodeURIComponent(to)}`}`)).versions;
}

interface Head {
  readonly revision?: number;
  readonly time?: number;
}

async function read(client: Client, query: string): Promise<{ readonly head: Head; readonly versions: readonly PastVersion[] }> {
  try {
    let head: Head | undefined;
    const versions: PastVersion[] = [];
    for await (const line of readLines(client.stream(`/fairlead/history?${query}`))) {
      const parsed = JSON.parse(line.toString("utf8")) as Head & Omit<PastVersion, "object"> & { readonly value?: KubeObject };
      if (head === undefined) head = parsed;
      else versions.push({ key: parsed.key, revision: parsed.revision, time: parsed.time, object: parsed.value ?? null });
    }
    return { head: head ?? {}, versions };
  } catch (error) {
    throw error instanceof StatusError ? explained(error) : error;
  }
}

function explained(error: StatusError): Error {
  if (error.code === 404) return new FairleadError("FL_UNSUPPORTED", "this cluster keeps no history: only Fairlead does", { cause: error });
  if (error.code === 410)
    return new FairleadError("FL_USAGE", error.message, { cause: error, hint: "History is kept for a day, and 256 MiB of it." });
  return error.code === 400 ? new FairleadError("FL_USAGE", error.message, { cause: error }) : error;
}
