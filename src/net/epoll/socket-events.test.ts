import { EventEmitter } from "node:events";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SocketEvents, type SocketEvent } from "./socket-events.ts";

class Told extends SocketEvents {
  readonly tell = {
    data: () => this.tellData(Buffer.from("x")),
    end: () => this.tellEnd(),
    drain: () => this.tellDrain(),
    error: () => this.tellError(new Error("e")),
    close: () => this.tellClose(true),
  };
}

const event = fc.constantFrom<SocketEvent>("data", "end", "drain", "error", "close");
const step = fc.record({ what: fc.constantFrom("on", "off", "once", "tell"), event, who: fc.nat(3) });

test("listeners are told what an EventEmitter would tell them, in its order", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [ours, node] = [new Told(), new EventEmitter()];
      const [heard, expected]: [unknown[], unknown[]] = [[], []];
      const listeners = [0, 1, 2, 3].map((who) => ({ ours: () => void heard.push(who), node: () => void expected.push(who) }));
      for (const { what, event: name, who } of steps) {
        const { ours: listener, node: model } = listeners[who] as (typeof listeners)[number];
        // One that was added by `once` cannot be taken back here.
        if (what === "once") {
          ours.once(name, () => listener());
          node.once(name, () => model());
        } else if (what === "tell") {
          const nobody = name === "error" && node.listenerCount("error") === 0;
          if (nobody) expect(() => ours.tell.error()).toThrow("e");
          else {
            ours.tell[name]();
            node.emit(name);
          }
        } else {
          ours[what as "on" | "off"](name, listener);
          node[what as "on" | "off"](name, model);
        }
      }
      expect(heard).toEqual(expected);
    }),
  );
});

test("who leaves, or comes, while it is told changes nothing for this time", () => {
  const socket = new Told();
  const heard: string[] = [];
  const second = () => void heard.push("second");
  socket.on("data", () => {
    heard.push("first");
    socket.off("data", second);
    socket.on("data", () => heard.push("late"));
  });
  socket.on("data", second);
  socket.tell.data();
  expect(heard).toEqual(["first", "second"]);
});
