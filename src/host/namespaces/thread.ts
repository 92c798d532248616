/** The namespaces thread's entry: carries out one operation after the other and answers each. */
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { openNetlinkDescriptor } from "../netlink/socket.ts";
import { loadLibc, type Libc } from "../syscalls/libc.ts";
import type { Identity } from "./exec-chain.ts";
import { Networks } from "./networks.ts";
import type { SpawnOptions } from "./namespaces.ts";
import { createPlace, LostError } from "./place.ts";
import { describeFailure, type FromThread, type Operation, type Results, type ThreadOptions, type ToThread } from "./protocol.ts";
import { bindSocket, startConnecting } from "./sockets.ts";
import { createStarter, type Starter } from "./start-process.ts";

if (parentPort === null) throw new Error("thread.ts runs as a worker thread");
const port = parentPort;

function send(message: FromThread): void {
  port.postMessage(message);
}

/** In a user namespace of one id (ours) root is only a name: the map says whose. */
function identity(): Identity {
  const [uid, gid] = (["uid_map", "gid_map"] as const).map((name) =>
    readFileSync(`/proc/self/${name}`, "utf8").trim().split(/\s+/).map(Number),
  );
  const root = uid?.[2] === 0xffff_ffff;
  return { root, uid: root ? 0 : (uid?.[1] ?? 0), gid: root ? 0 : (gid?.[1] ?? 0) };
}

class World {
  readonly #libc: Libc;
  readonly #starter: Starter;
  readonly networks: Networks;

  constructor(libc: Libc) {
    this.#libc = libc;
    const who = identity();
    const place = createPlace(libc);
    this.#starter = createStarter(libc, place, who);
    this.networks = new Networks(libc, place, { ...(workerData as ThreadOptions), root: who.root });
  }

  carryOut(operation: Operation): Results[keyof Results] | Promise<Results[keyof Results]> {
    const { networks } = this;
    switch (operation.kind) {
      case "add-node":
        return networks.addNode(operation.index, operation.podCIDRs);
      case "add-pod":
        return networks.addPod(operation.node, operation.addresses);
      case "add-address":
        return void networks.addAddress(operation.node, operation.address);
      case "remove-address":
        return void networks.removeAddress(operation.node, operation.address);
      case "remove":
        return void networks.remove(operation.namespace);
      case "connect":
        networks.enter(operation.namespace);
        return startConnecting(this.#libc, operation.host, operation.port, operation.localAddress);
      case "bind":
        networks.enter(operation.namespace);
        return bindSocket(this.#libc, operation.socket, operation.address, operation.port);
      case "netlink":
        networks.enter(operation.namespace);
        return { fd: openNetlinkDescriptor(this.#libc, operation.protocol) };
      case "sysctl":
        return void networks.set(operation.namespace, operation.name, operation.value);
      case "spawn":
        networks.enter(operation.namespace);
        return this.#start(operation.options);
    }
  }

  #start(options: SpawnOptions): Results["spawn"] | Promise<Results["spawn"]> {
    const { pid, settled } = this.#starter.start(options);
    return settled === undefined ? { pid } : settled.then(() => ({ pid }));
  }
}

function serve(world: World): void {
  port.on("message", (message: ToThread) => {
    if (message.kind === "stop") return process.exit(0); // of this thread
    void answer(world, message.call, message.operation);
  });
}

/** An operation is over when this first waits; a process that settles may be overtaken by the next operation's answer. */
async function answer(world: World, call: number, operation: Operation): Promise<void> {
  try {
    const result = world.carryOut(operation);
    send({ kind: "done", call, result: result instanceof Promise ? await result : result });
  } catch (error) {
    if (error instanceof LostError) throw error; // ends the thread
    send({ kind: "failed", call, failure: describeFailure(error) });
  }
}

try {
  const libc = loadLibc();
  if (libc === undefined) throw new Error("no FFI on this machine (package koffi), without which there are no namespaces");
  const world = new World(libc);
  const { fabricFd, families, fabricPlan } = world.networks;
  send({ kind: "ready", fd: fabricFd, families, addresses: fabricPlan.hostAddresses, systemAddresses: fabricPlan.systemAddresses });
  serve(world);
} catch (error) {
  send({ kind: "unable", failure: describeFailure(error) });
}
