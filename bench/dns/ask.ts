/** Single questions by UDP. */
import { realClock } from "../../src/lib/clock.ts";
import { recordTypes } from "../../src/decide/dns/records.ts";
import { exchangeUdp } from "../../src/dns/client/exchange.ts";
import { createQuery } from "../../src/dns/wire/message.ts";

export async function firstAnswer(port: number, name: string): Promise<readonly string[]> {
  const query = createQuery(name, recordTypes.A, { id: Math.floor(Math.random() * 65_536) });
  const { answers } = await exchangeUdp(query, { host: "127.0.0.1", port, clock: realClock, timeoutMs: 1000 });
  return answers.map(({ data }) => (data.kind === "address" ? data.address : ""));
}

/** Asks until there is an answer, or one that holds `wanted`. */
export async function untilAnswered(port: number, name: string, wanted?: string): Promise<void> {
  for (;;) {
    try {
      const answers = await firstAnswer(port, name);
      if (wanted === undefined ? answers.length > 0 : answers.includes(wanted)) return;
    } catch {
      // Not there yet.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
