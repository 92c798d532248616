/** The engine that this machine can have: in threads of its own on an event loop of ours, or on Node's sockets in this thread. */
import type { Engine } from "./engine.ts";
import { createNodeEngine, type NodeEngineOptions } from "./node-engine.ts";
import { createWorkerEngine, type Reach } from "./worker/worker-engine.ts";

export type { Reach };

export interface EngineOptions extends NodeEngineOptions {
  /** Default 0: this one. Without FFI there are none whatever this says. */
  readonly threads?: number | undefined;
  /**
   * `connect` for threads. Where there is a `connect` and not this, there are no threads, nor where datagrams have a way of
   * their own.
   */
  readonly reach?: Reach | undefined;
}

export function createEngine(options: EngineOptions): Engine {
  const { threads = 0, reach, connect, udpTarget, limits, onRequest, observe } = options;
  const canReach = (connect === undefined || reach !== undefined) && udpTarget === undefined;
  const engine =
    threads > 0 && canReach
      ? createWorkerEngine({
          threads,
          observe,
          reach,
          ...(limits === undefined ? {} : { limits }),
          ...(onRequest === undefined ? {} : { onRequest }),
        })
      : undefined;
  return engine ?? createNodeEngine(options);
}
