import { under } from "../../../decide/dns/name.ts";
import { recordTypes } from "../../../decide/dns/records.ts";
import type { Timer } from "../../../lib/clock.ts";
import {
  failure,
  type Awaitable,
  type DnsRequest,
  type ForwardTarget,
  type Handler,
  type Next,
  type Outcome,
  type PluginEnvironment,
} from "../../plugin.ts";
import { rcodes } from "../../../decide/dns/records.ts";
import { createQuery } from "../../wire/message.ts";

/** Upstream looks for this long after its start. */
const watchMs = 30_000;

/**
 * Whether questions that are forwarded come back. Each server is sent a name that nobody else could ask; seeing one arrive means
 * that this server leads here. CoreDNS ends the program then; this one says so, does not ask that server any more, and goes on.
 */
export class LoopDetector implements Handler {
  readonly name = "loop";
  readonly #environment: Pick<PluginEnvironment, "clock" | "log" | "random">;
  readonly #zone: string;
  readonly #targets: () => readonly ForwardTarget[];
  /** Name of a probe → the server that it was sent to. */
  readonly #probes = new Map<string, ForwardTarget>();
  #timer: Timer | undefined;
  #watching = true;
  #probed = false;

  constructor(zone: string, targets: () => readonly ForwardTarget[], environment: Pick<PluginEnvironment, "clock" | "log" | "random">) {
    this.#environment = environment;
    this.#zone = zone;
    this.#targets = targets;
  }

  begin(): void {
    this.#timer = this.#environment.clock.after(watchMs, () => (this.#watching = false));
  }

  end(): void {
    this.#timer?.cancel();
  }

  serveDNS(request: DnsRequest, next: Next): Awaitable<Outcome> {
    if (!this.#watching) return next(request);
    const target = request.question.type === recordTypes.HINFO ? this.#probes.get(request.name) : undefined;
    if (target !== undefined) {
      this.#found(request, target);
      return failure(rcodes.SERVFAIL, new Error(`${target.address} leads back here; see plugin/loop`));
    }
    // With the first question that goes this way, so that nothing is sent by a server that nobody uses.
    if (!this.#probed) this.#probe();
    return next(request);
  }

  #probe(): void {
    this.#probed = true;
    const { random } = this.#environment;
    const number = () => Math.floor(random() * 2 ** 53);
    for (const target of this.#targets()) {
      const name = under(`${number()}.${number()}`, this.#zone);
      this.#probes.set(name, target);
      target.probe(createQuery(name, recordTypes.HINFO, { id: Math.floor(random() * 65_536) }));
    }
  }

  #found({ client }: DnsRequest, target: ForwardTarget): void {
    if (target.quarantined !== undefined) return;
    target.quarantined = `${target.address} leads back to this server`;
    this.#environment.log
      .child("plugin/loop")
      .error(
        `Loop (${client.address}:${client.port} -> this server) detected: the upstream ${target.address} leads back here. It is not asked until the Corefile changes`,
        { zone: this.#zone },
      );
  }
}
