/** NodePorts and health check node ports of the cluster (`pkg/registry/core/service/portallocator`). */
import { BandedPool, staticBand, type Allocated } from "./pool.ts";

/** Both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `30000-32767`, or a single port; undefined when malformed. */
export function parsePortRange(text: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text.trim());
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= 1 && last <= 65535 && first <= last ? { first, last } : undefined;
}

export class NodePortAllocator {
  readonly #range: PortRange;
  readonly #random: () => number;
  readonly #pool: BandedPool;

  /** `random` gives [0, 1). */
  constructor(range: PortRange, random: () => number) {
    this.#range = range;
    this.#random = random;
    const size = range.last - range.first + 1;
    this.#pool = new BandedPool(size, size <= 16 ? 0 : staticBand(size, { min: 16, max: 128, step: 32 }));
  }

  /** `30000-32767` */
  get range(): string {
    return `${this.#range.first}-${this.#range.last}`;
  }

  get free(): number {
    return this.#pool.free;
  }

  allocateAny(): Allocated<number> {
    const offset = this.#pool.takeAny(this.#random);
    return offset === undefined ? { kind: "exhausted" } : { kind: "ok", value: this.#range.first + offset };
  }

  allocate(port: number): Allocated<number> {
    if (!this.#contains(port)) return { kind: "outOfRange" };
    return this.#pool.take(port - this.#range.first) ? { kind: "ok", value: port } : { kind: "conflict" };
  }

  isAllocated(port: number): boolean {
    return this.#contains(port) && this.#pool.isTaken(port - this.#range.first);
  }

  release(port: number): void {
    if (this.#contains(port)) this.#pool.release(port - this.#range.first);
  }

  #contains(port: number): boolean {
    return Number.isInteger(port) && port >= this.#range.first && port <= this.#range.last;
  }
}
