import { keyOf } from "../../api/object.ts";
import type { ApiResponse, StreamedEvent, WatchStream } from "../../api/request.ts";
import { StatusError } from "../../api/status.ts";
import type { Clock } from "../../lib/clock.ts";
import { failedWatch, respondWatch } from "../encode/respond.ts";
import { listQuery } from "../query.ts";
import { selection } from "../registry/selection.ts";
import { viewOf, type VerbCall } from "./call.ts";
import { parseRevision } from "./list.ts";

/** How long a watch lasts for a client that names no time: half an hour to an hour, so that not all come back at once. */
const minSeconds = 1800;

/** GET of a collection with `watch=true`. What cannot be watched is told in the stream, as upstream does. */
export async function watch(call: VerbCall): Promise<ApiResponse> {
  const view = viewOf(call);
  const { request, info, registry, clock, random } = call;
  const options = listQuery(request.query, true);
  const selected = selection(registry.kind, options.labelSelector, options.fieldSelector);
  const name = info.name ?? selected.name;
  const revision = options.resourceVersion === "" ? 0 : parseRevision(options.resourceVersion);
  const scoped = !registry.kind.resource.namespaced || info.namespace !== undefined;
  // Without a version, or with 0, a watch begins with what is there; upstream calls the events synthetic.
  const sendInitial = options.sendInitialEvents ?? revision === 0;
  const open = (): WatchStream =>
    registry.store.watch({
      namespace: info.namespace,
      key: name !== undefined && name !== "" && scoped ? keyOf(info.namespace, name) : undefined,
      after: sendInitial ? undefined : revision,
      sendInitial,
      initialEventsEnd: options.sendInitialEvents === true && options.allowWatchBookmarks,
      bookmarks: options.allowWatchBookmarks,
      match: info.name === undefined ? selected.match : undefined,
      signal: request.signal,
    });
  const stream = opened(open);
  const seconds = options.timeoutSeconds ?? 0;
  return respondWatch(limited(stream, clock, (seconds > 0 ? seconds : minSeconds * (1 + random())) * 1000), view);
}

/** Ends the stream after a time. Written out rather than as a generator, which would cost each event of each watch a turn. */
function limited(stream: WatchStream, clock: Clock, milliseconds: number): WatchStream {
  const timer = clock.after(milliseconds, () => stream.close());
  return {
    close: () => {
      timer.cancel();
      stream.close();
    },
    [Symbol.asyncIterator]: () => {
      const events = stream[Symbol.asyncIterator]();
      const end = (): Promise<IteratorResult<StreamedEvent>> => {
        timer.cancel();
        stream.close();
        return events.return?.() ?? Promise.resolve({ done: true, value: undefined });
      };
      return { next: () => events.next(), return: end };
    },
  };
}

function opened(open: () => WatchStream): WatchStream {
  try {
    return open();
  } catch (error) {
    if (error instanceof StatusError) return failedWatch(error);
    throw error;
  }
}
