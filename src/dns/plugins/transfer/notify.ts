/** Tells the servers that a zone is handed to that it has changed (RFC 1996), again until they answer. */
import { foldName, isWithin } from "../../../decide/dns/name.ts";
import { classes, recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { exchangeUdp } from "../../client/exchange.ts";
import type { PluginEnvironment } from "../../plugin.ts";
import { createQuery, opcodes } from "../../wire/message.ts";
import { ruleFor, type TransferRule } from "./handler.ts";

const tries = 3;
const timeoutMs = 1000;

export class Notifier {
  readonly #rules: readonly TransferRule[];
  readonly #environment: Pick<PluginEnvironment, "clock" | "log" | "random">;
  #stopped = false;

  constructor(rules: readonly TransferRule[], environment: Pick<PluginEnvironment, "clock" | "log" | "random">) {
    this.#rules = rules;
    this.#environment = environment;
  }

  changed(origin: string, soa: ResourceRecord | undefined): void {
    const rule = ruleFor(this.#rules, origin);
    if (rule === undefined || !rule.zones.some((zone) => isWithin(zone, foldName(origin)))) return;
    for (const to of rule.to) if (to !== "*") void this.#notify(origin, soa, to, rule.source);
  }

  async #notify(
    origin: string,
    soa: ResourceRecord | undefined,
    to: { readonly host: string; readonly port: number },
    source: string | undefined,
  ): Promise<void> {
    const { clock, random, log } = this.#environment;
    const questions = [{ name: origin, type: recordTypes.SOA, class: classes.IN }];
    for (let attempt = 0; attempt < tries && !this.#stopped; attempt++) {
      const id = Math.floor(random() * 65_536);
      const query = createQuery(origin, recordTypes.SOA, {
        id,
        opcode: opcodes.NOTIFY,
        authoritative: true,
        recursionDesired: false,
        questions,
        answers: soa === undefined ? [] : [soa],
      });
      try {
        await exchangeUdp(query, { ...to, clock, timeoutMs, ...(source === undefined ? {} : { localAddress: source }) });
        return;
      } catch (error) {
        if (attempt === tries - 1)
          log.warn(`${to.host}:${to.port} was not told that zone ${origin} changed`, { error: errorMessage(error) });
      }
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}
