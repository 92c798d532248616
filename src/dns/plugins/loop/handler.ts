import { under } from "../../../decide/dns/name.ts";
import { rcodes, recordTypes } from "../../../decide/dns/records.ts";
import type { Timer } from "../../../lib/clock.ts";
import { failure, type Awaitable, type DnsRequest, type Handler, type Next, type Outcome, type PluginEnvironment } from "../../plugin.ts";

/** Upstream looks for this long after its start. */
const watchMs = 30_000;

/**
 * Whether questions that are forwarded come back. Once, a name that nobody else could ask is sent down the chain; seeing it arrive
 * again means that an upstream leads here. CoreDNS ends the program then; this one says so and refuses what would go round.
 */
export class LoopDetector implements Handler {
  readonly name = "loop";
  readonly #environment: Pick<PluginEnvironment, "clock" | "log" | "random">;
  readonly #probe: string;
  #probing: DnsRequest | undefined;
  #timer: Timer | undefined;
  #watching = true;
  #looping = false;

  constructor(zone: string, environment: Pick<PluginEnvironment, "clock" | "log" | "random">) {
    this.#environment = environment;
    const number = () => Math.floor(environment.random() * 2 ** 53);
    this.#probe = under(`${number()}.${number()}`, zone);
  }

  begin(): void {
    this.#timer = this.#environment.clock.after(watchMs, () => (this.#watching = false));
  }

  end(): void {
    this.#timer?.cancel();
  }

  serveDNS(request: DnsRequest, next: Next): Awaitable<Outcome> {
    if (this.#watching && request.question.type === recordTypes.HINFO && request.name === this.#probe && request !== this.#probing) {
      this.#found(request);
    } else if (this.#watching && this.#probing === undefined) this.#ask(request, next);
    if (this.#looping) return failure(rcodes.SERVFAIL, new Error("an upstream of this server leads back to it; see plugin/loop"));
    return next(request);
  }

  /** With the first question that goes this way, so that nothing is sent by a server that nobody uses. */
  #ask(request: DnsRequest, next: Next): void {
    const question = { name: this.#probe, type: recordTypes.HINFO, class: 1 };
    const probing: DnsRequest = { ...request, name: this.#probe, question, message: { ...request.message, id: 0, questions: [question] } };
    this.#probing = probing;
    Promise.resolve(next(probing)).catch((error: unknown) =>
      this.#environment.log.debug("the loop probe was not answered", { error: String(error) }),
    );
  }

  #found({ client }: DnsRequest): void {
    if (this.#looping) return;
    this.#looping = true;
    this.#environment.log
      .child("plugin/loop")
      .error(
        `Loop (${client.address}:${client.port} -> this server) detected: an upstream that forward names leads back here. Its questions are refused until the Corefile changes`,
        { probe: this.#probe },
      );
  }
}
