/**
 * `GET /fairlead/history`: the past of the objects that decide about traffic, as lines of JSON after a head. `?at=MOMENT`: what was there;
 * `?after=MOMENT&to=MOMENT` (default: now): what was written. A moment is a time, a duration ago, or a revision. Who may GET every path
 * may read it (`system:masters`, or a ClusterRole with this `nonResourceURL`); Secrets and ConfigMaps are not in it.
 */
import { groupResource } from "../api/resources.ts";
import { badRequestError, goneError } from "../api/status.ts";
import type { DebugPage } from "../apiserver/handler.ts";
import { decidingResources } from "../decide/explain/resources.ts";
import { gatewayGroup } from "../decide/routes/gateway-api/objects.ts";
import type { Clock } from "../lib/clock.ts";
import { FairleadError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { createHistory, type History } from "../storage/history/history.ts";
import { readMoment, type Moment } from "../storage/history/moment.ts";
import { fileSegments, memorySegments } from "../storage/history/segments.ts";
import { versionLine, type Version } from "../storage/history/version.ts";

export const historyPath = "/fairlead/history";

const kept = [
  ...decidingResources.map(groupResource),
  ...["gatewayclasses", "gateways", "listenersets", "httproutes", "grpcroutes", "referencegrants"].map(
    (plural) => `${plural}.${gatewayGroup}`,
  ),
].map((resource) => `/registry/${resource}/`);

/** `directory`: undefined keeps it in memory, and less of it. */
export function createClusterHistory({
  directory,
  clock,
  log,
}: {
  readonly directory: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}): History {
  const bounds = directory === undefined ? { maxBytes: 32 << 20 } : {};
  return createHistory({
    segments: directory === undefined ? memorySegments() : fileSegments(directory),
    prefixes: kept,
    clock,
    log,
    ...bounds,
  });
}

export function historyPage(history: History, clock: Clock): DebugPage {
  const moment = (text: string): Moment => {
    try {
      return readMoment(text, clock.now());
    } catch (error) {
      if (error instanceof FairleadError) throw badRequestError(error.message);
      throw error;
    }
  };
  return async (query) => {
    const at = query.get("at");
    if (at !== null) {
      const state = await history.at(moment(at));
      if (state === undefined) throw goneError(`nothing is kept that is as old as ${at}`);
      return lines({ kind: "HistoryState", revision: state.revision, time: state.time }, state.versions);
    }
    const after = query.get("after");
    if (after === null) throw badRequestError("at=MOMENT, or after=MOMENT and to=MOMENT");
    const to = query.get("to");
    const versions = await history.between(moment(after), to === null ? { kind: "time", time: Number.MAX_SAFE_INTEGER } : moment(to));
    return lines({ kind: "HistoryVersions", count: versions.length }, versions);
  };
}

async function* lines(head: object, versions: readonly Version[]): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${JSON.stringify(head)}\n`);
  for (const version of versions) yield versionLine(version);
}
