/**
 * Records of many requests in one message. Who only counts gets numbers in one array, and each route and text once: a record of its own
 * would cost a busy thread a good part of what the request itself does. Who writes a log gets them whole.
 */
import type { RequestRecord } from "../requests.ts";

export type PackedRecords =
  | { readonly kind: "whole"; readonly records: readonly RequestRecord[] }
  | {
      readonly kind: "counted";
      /** The numbering of routes and texts begins anew. */
      readonly anew: boolean;
      readonly routes: readonly NonNullable<RequestRecord["route"]>[];
      readonly texts: readonly string[];
      /** `width` for each record. */
      readonly numbers: Float64Array;
    };

/** Status, milliseconds, whether it could be read, then the numbers of route, reason and endpoint (-1: none). */
const width = 6;
/** Routes and endpoints come and go. */
const maxNumbered = 10_000;

/** In the place of what was asked, where nobody asks for it. */
export const unrecorded = {} as NonNullable<RequestRecord["request"]>;

export class RecordPacker {
  readonly #most: number;
  #numbers: Float64Array;
  #count = 0;
  #anew = true;
  #routes = new Map<unknown, number>();
  #texts = new Map<string, number>();
  #newRoutes: NonNullable<RequestRecord["route"]>[] = [];
  #newTexts: string[] = [];

  constructor(most: number) {
    this.#most = most;
    this.#numbers = new Float64Array(most * width);
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count === this.#most;
  }

  add({ status, milliseconds, request, route, reason, endpoint }: RequestRecord): void {
    const at = this.#count * width;
    const numbers = this.#numbers;
    numbers[at] = status;
    numbers[at + 1] = milliseconds;
    numbers[at + 2] = request === undefined ? 0 : 1;
    numbers[at + 3] = route === undefined ? -1 : this.#routeNumber(route);
    numbers[at + 4] = reason === undefined ? -1 : this.#textNumber(reason);
    numbers[at + 5] = endpoint === undefined ? -1 : this.#textNumber(endpoint);
    this.#count += 1;
  }

  #routeNumber(route: NonNullable<RequestRecord["route"]>): number {
    let number = this.#routes.get(route);
    if (number === undefined) {
      this.#routes.set(route, (number = this.#routes.size));
      const { id, source } = route;
      this.#newRoutes.push({ id, source } as NonNullable<RequestRecord["route"]>);
    }
    return number;
  }

  #textNumber(text: string): number {
    let number = this.#texts.get(text);
    if (number === undefined) {
      this.#texts.set(text, (number = this.#texts.size));
      this.#newTexts.push(text);
    }
    return number;
  }

  take(): PackedRecords {
    const packed: PackedRecords = {
      kind: "counted",
      anew: this.#anew,
      routes: this.#newRoutes,
      texts: this.#newTexts,
      numbers: this.#numbers.slice(0, this.#count * width),
    };
    this.#count = 0;
    this.#newRoutes = [];
    this.#newTexts = [];
    this.#anew = this.#routes.size + this.#texts.size > maxNumbered;
    if (this.#anew) {
      this.#routes = new Map();
      this.#texts = new Map();
    }
    return packed;
  }
}

export class RecordUnpacker {
  #routes: NonNullable<RequestRecord["route"]>[] = [];
  #texts: string[] = [];

  each(packed: PackedRecords, give: (record: RequestRecord) => void): void {
    if (packed.kind === "whole") return packed.records.forEach(give);
    const { anew, routes, texts, numbers } = packed;
    this.#routes = anew ? [...routes] : [...this.#routes, ...routes];
    this.#texts = anew ? [...texts] : [...this.#texts, ...texts];
    for (let at = 0; at < numbers.length; at += width) {
      give({
        status: numbers[at] as number,
        milliseconds: numbers[at + 1] as number,
        request: numbers[at + 2] === 0 ? undefined : unrecorded,
        route: this.#routes[numbers[at + 3] as number],
        reason: this.#texts[numbers[at + 4] as number],
        endpoint: this.#texts[numbers[at + 5] as number],
        user: undefined,
      });
    }
  }
}
