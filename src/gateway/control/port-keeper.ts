/** Keeps what listens in step with what Gateways want: opens what is new, closes what is gone, leaves the rest alone. */
import type { BoundPort, GatewayPort } from "../../decide/routes/gateway-api/index.ts";
import type { Engine, EngineListener } from "../engine/engine.ts";

interface Kept {
  readonly protocol: GatewayPort["protocol"];
  state: BoundPort;
  listener: EngineListener | undefined;
  closed: boolean;
}

export interface PortKeeperOptions {
  readonly engine: Pick<Engine, "listen">;
  /** Something about a Gateway's ports is another now. */
  readonly changed: (gateway: string) => void;
  readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

const pending: BoundPort = { kind: "pending" };

export class PortKeeper {
  readonly #options: PortKeeperOptions;
  /** Gateway → port's name and address → what is there. */
  readonly #kept = new Map<string, Map<string, Kept>>();
  readonly #working = new Set<Promise<void>>();

  constructor(options: PortKeeperOptions) {
    this.#options = options;
  }

  /** What a Gateway wants now; nothing: it is gone. */
  keep(gateway: string, addresses: readonly string[], ports: readonly GatewayPort[]): void {
    const kept = this.#kept.get(gateway) ?? new Map<string, Kept>();
    this.#kept.set(gateway, kept);
    const wanted = new Map(addresses.flatMap((host) => ports.map((port) => [slot(port.name, host), { host, port }] as const)));
    for (const [key, each] of kept) {
      const next = wanted.get(key);
      // TLS and HTTPS on one port differ in how a connection is taken in.
      if (next === undefined || next.port.protocol !== each.protocol) this.#close(kept, key, each);
    }
    for (const [key, { host, port }] of wanted) if (!kept.has(key)) this.#open(gateway, kept, key, host, port);
    if (kept.size === 0) this.#kept.delete(gateway);
  }

  #close(kept: Map<string, Kept>, key: string, each: Kept): void {
    kept.delete(key);
    each.closed = true;
    if (each.listener !== undefined) this.#track(each.listener.close());
  }

  #open(gateway: string, kept: Map<string, Kept>, key: string, host: string, port: GatewayPort): void {
    const each: Kept = { protocol: port.protocol, state: pending, listener: undefined, closed: false };
    kept.set(key, each);
    this.#track(
      this.#listen(host, port).then(async ({ state, listener }) => {
        if (each.closed) return await listener?.close();
        each.state = state;
        each.listener = listener;
        const { log, changed } = this.#options;
        if (state.kind === "ok") log(`Gateway ${gateway}: ${port.protocol} on ${host}:${state.port}`, {});
        changed(gateway);
      }),
    );
  }

  async #listen(host: string, { name, protocol, port }: GatewayPort): Promise<{ state: BoundPort; listener: EngineListener | undefined }> {
    const first = await this.#options.engine.listen({ name, protocol, host, port });
    if (first.kind === "ok") return { state: { kind: "ok", port: first.port }, listener: first };
    if (first.code !== "EACCES")
      return { state: { kind: "failed", why: `port ${port} of ${host} cannot be bound (${first.code})` }, listener: undefined };
    for (const other of [8000 + port, 0]) {
      const next = await this.#options.engine.listen({ name, protocol, host, port: other });
      const standIn = "ports below 1024 need a right that this user does not have";
      if (next.kind === "ok") return { state: { kind: "ok", port: next.port, standIn }, listener: next };
    }
    return { state: { kind: "failed", why: `port ${port} of ${host} needs a right that this user does not have` }, listener: undefined };
  }

  #track(work: Promise<unknown>): void {
    const tracked = work.then(
      () => void this.#working.delete(tracked),
      () => void this.#working.delete(tracked),
    );
    this.#working.add(tracked);
  }

  /** Of all addresses the worst. */
  state(gateway: string, name: string): BoundPort {
    const all = [...(this.#kept.get(gateway) ?? [])].filter(([key]) => key.startsWith(`${name} `)).map(([, { state }]) => state);
    return all.find(({ kind }) => kind === "failed") ?? all.find(({ kind }) => kind === "pending") ?? all[0] ?? pending;
  }

  /** Resolves when nothing is being opened or closed. */
  async settled(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
  }
}

function slot(name: string, host: string): string {
  return `${name} ${host}`;
}
