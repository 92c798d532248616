/**
 * A node that can lose its power and get it back: for trying out what a cluster does when a machine dies. What runs on it ends at
 * once and nobody is told; its Lease is not renewed, its network is gone. Who wants that annotates the Node
 * `fairlead.dev/power=off`; taking the annotation away puts the plug in again.
 */
import { nodes } from "../../api/resources.ts";
import type { Node } from "../../api/types.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import type { InformerFactory } from "../../client/informer.ts";
import { isReady, type Component, type Readiness } from "../../component/component.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { RunningNode } from "./network.ts";

export const powerAnnotation = "fairlead.dev/power";

/** What is there while a node has power. */
export interface PoweredParts {
  readonly running: Omit<RunningNode, "name" | "power">;
  ready(): Readiness;
  /** In order: containers get their stop signal, statuses are written. */
  stop(): Promise<void>;
  /** As when the plug is pulled. */
  crash(): Promise<void>;
}

export interface PoweredNode {
  readonly node: RunningNode;
  readonly component: Component;
}

/** `start` makes the parts anew, each time. The component's start is the node's first. */
export function poweredNode(name: string, start: () => Promise<PoweredParts>): PoweredNode {
  let parts: PoweredParts | undefined;
  let under: Promise<unknown> = Promise.resolve();
  let stopped = false;
  const turn = async (on: boolean) => {
    if (on === (parts !== undefined) || stopped) return;
    if (on) {
      parts = await start();
      return;
    }
    const before = parts;
    parts = undefined;
    await before?.crash();
  };
  /** One after the other: who pulls a plug twice means the last. */
  const power = (on: boolean): Promise<void> => {
    const turned = under.then(() => turn(on));
    under = turned.catch(() => undefined);
    return turned;
  };
  const component: Component = {
    name: `node ${name}`,
    start: () => power(true),
    async stop() {
      stopped = true;
      await under;
      await parts?.stop();
      parts = undefined;
    },
    // Without power it is as it should be.
    ready: () => parts?.ready() ?? isReady,
  };
  const node: RunningNode = {
    name,
    get agent() {
      return parts?.running.agent;
    },
    async connect(host, port) {
      if (parts === undefined) throw Object.assign(new Error(`${name} has no power`), { code: "EHOSTUNREACH" });
      return await parts.running.connect(host, port);
    },
    listensAt: (address, port) => parts?.running.listensAt(address, port),
    traffic: () => parts?.running.traffic?.() ?? [],
    limits: () => parts?.running.limits() ?? [],
    settled: async () => await parts?.running.settled(),
    power,
  };
  return { node, component };
}

export interface PowerWatchOptions {
  readonly informers: InformerFactory;
  readonly recorder: EventRecorder;
  readonly log: Logger;
  readonly nodes: () => readonly RunningNode[];
}

/** Follows the annotation. */
export function createPowerWatch({ informers, recorder, log, nodes: running }: PowerWatchOptions): Component {
  const seen = new Map<string, boolean>();
  let stop = () => {};
  const look = (node: Node) => {
    const { name = "", annotations } = node.metadata;
    const on = annotations?.[powerAnnotation] !== "off";
    if ((seen.get(name) ?? true) === on) return;
    seen.set(name, on);
    const found = running().find((one) => one.name === name);
    if (found === undefined) return;
    if (found.power === undefined)
      return recorder.event(
        node,
        "Warning",
        "PowerIgnored",
        `${powerAnnotation}: a node in loopback mode is this whole machine, and stays on`,
      );
    found.power(on).then(
      () =>
        recorder.event(
          node,
          "Normal",
          on ? "PowerOn" : "PowerOff",
          `${powerAnnotation}: the node ${on ? "has power again" : "lost its power"}`,
        ),
      (error: unknown) => log.error("a node did not follow its power switch", { node: name, on, error: errorMessage(error) }),
    );
  };
  return {
    name: "power-watch",
    async start() {
      stop = informers
        .informer(nodes)
        .addHandlers({ added: look, updated: look, deleted: ({ metadata }) => seen.delete(metadata.name ?? "") });
    },
    async stop() {
      stop();
    },
    ready: () => isReady,
  };
}
