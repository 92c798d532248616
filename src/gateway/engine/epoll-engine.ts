/** The engine on our own epoll loop: HTTP/1.1 without TLS, in a thread that does nothing else. */
import { connectEpoll, listenEpoll } from "../../net/epoll/epoll-transport.ts";
import type { EventLoop } from "../../net/epoll/event-loop.ts";
import type { Engine } from "./engine.ts";
import { createNodeEngine, type NodeEngineOptions } from "./node-engine.ts";

export function createEpollEngine(loop: EventLoop, options: Pick<NodeEngineOptions, "limits" | "onRequest" | "random">): Engine {
  return createNodeEngine({
    ...options,
    clock: loop.clock,
    connect: ({ ip, port }, timeoutMs) =>
      new Promise((resolve, reject) => {
        connectEpoll(loop, { host: ip, port, timeoutMs }, (result) => {
          if ("failed" in result) reject(Object.assign(new Error(`${ip}:${port}: ${result.failed}`), { code: result.failed }));
          else resolve(result);
        });
      }),
    listen: async (listen) => {
      const listener = listenEpoll(loop, listen);
      return listener.kind === "failed" ? listener : { ...listener, close: async () => listener.close() };
    },
  });
}
