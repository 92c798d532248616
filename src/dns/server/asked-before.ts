import { hashOf } from "./question-hash.ts";

const rememberedQuestions = 65_536;
const ways = 4;

/**
 * Which questions came before: an answer is kept when it is asked for again. Names that somebody makes up come once, and would only
 * push out those that are asked for. Forgets, for it has no more room than this.
 */
export class AskedBefore {
  readonly #marks = new Uint32Array(rememberedQuestions);
  #turn = 0;

  /** Whether it came before; now it did. */
  again(packet: Uint8Array): boolean {
    const mark = hashOf(packet, packet.length) || 1;
    // Several places for each: of two questions with one place that take turns, neither would ever come again.
    const first = (mark & (rememberedQuestions / ways - 1)) * ways;
    let free = first + (this.#turn++ & (ways - 1));
    for (let i = first; i < first + ways; i++) {
      if (this.#marks[i] === mark) return true;
      if (this.#marks[i] === 0) free = i;
    }
    this.#marks[free] = mark;
    return false;
  }
}
