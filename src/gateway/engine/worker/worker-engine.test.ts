/** The same tests in a thread with an event loop of ours: sockets, TLS and time are others, everything else must be the same. */
import { test } from "vitest";
import { realClock } from "../../../lib/clock.ts";
import { openEventLoop } from "../../../net/epoll/event-loop.ts";
import { useEngine } from "../../testing.ts";

const loop = openEventLoop(realClock);
loop?.stop();
if (loop === undefined) test("an event loop of ours", (ctx) => ctx.skip("needs FFI (koffi)"));
else {
  useEngine("threads");
  await import("../engine.test.ts");
  await import("../http2-exchange.test.ts");
  await import("../http2-frames.test.ts");
  await import("../streams.test.ts");
}
