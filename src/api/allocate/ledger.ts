/** The book of one write: what it took from the pools, to be given back if it fails, and what it sets free if it succeeds. */
import { invalid, type FieldError } from "../field-error.ts";
import type { Allocation } from "../prepare.ts";
import { familyOf, type IpFamilyName } from "../validation/service-traits.ts";
import type { FamilyRanges } from "./family-ranges.ts";
import type { NodePortAllocator } from "./node-port.ts";

/** The user asked for something that cannot be had. */
export class FieldFault extends Error {
  readonly errors: readonly FieldError[];

  constructor(errors: readonly FieldError[]) {
    super(errors.map((error) => `${error.field}: ${error.message}`).join(", "));
    this.errors = errors;
  }
}

/** Nothing is left to give, or a health check port cannot be had: upstream answers both as an internal error. */
export class Exhausted extends Error {}

export class Ledger {
  readonly #families: ReadonlyMap<IpFamilyName, FamilyRanges>;
  readonly #nodePorts: NodePortAllocator;
  readonly #takenAddresses: string[] = [];
  readonly #freedAddresses: string[] = [];
  readonly #takenPorts = new Set<number>();
  readonly #freedPorts = new Set<number>();

  constructor(families: ReadonlyMap<IpFamilyName, FamilyRanges>, nodePorts: NodePortAllocator) {
    this.#families = families;
    this.#nodePorts = nodePorts;
  }

  takeAnyAddress(family: IpFamilyName): string {
    const allocated = this.#families.get(family)?.allocateAny();
    if (allocated?.kind !== "ok") throw new Exhausted("failed to allocate a serviceIP: range is full");
    this.#takenAddresses.push(allocated.value);
    return allocated.value;
  }

  /** `all` is the whole of `clusterIPs`, which the error shows. */
  takeAddress(family: IpFamilyName, address: string, all: readonly string[]): string {
    const allocator = this.#families.get(family);
    const allocated = allocator?.allocate(address) ?? { kind: "outOfRange" };
    if (allocated.kind === "ok") {
      this.#takenAddresses.push(address);
      return address;
    }
    const reason =
      allocated.kind === "outOfRange" ? "the provided network does not match the current range" : "provided IP is already allocated";
    throw new FieldFault([invalid("spec.clusterIPs", all, `failed to allocate IP ${address}: ${reason}`)]);
  }

  releaseAddress(address: string): void {
    this.#freedAddresses.push(address);
  }

  takeAnyPort(what = "a nodePort"): number {
    const allocated = this.#nodePorts.allocateAny();
    if (allocated.kind !== "ok") throw new Exhausted(`failed to allocate ${what}: range is full`);
    this.#takenPorts.add(allocated.value);
    return allocated.value;
  }

  /** Undefined when the port is now this write's; otherwise why not. One write may ask for a port twice (TCP and UDP). */
  takePort(port: number): string | undefined {
    if (this.#takenPorts.has(port)) return undefined;
    const allocated = this.#nodePorts.allocate(port);
    if (allocated.kind === "outOfRange")
      return `provided port is not in the valid range. The range of valid ports is ${this.#nodePorts.range}`;
    if (allocated.kind !== "ok") return "provided port is already allocated";
    this.#takenPorts.add(port);
    return undefined;
  }

  releasePort(port: number): void {
    this.#freedPorts.add(port);
  }

  /** Takes what is stored already; answers what could not be taken. */
  adopt(addresses: readonly string[], ports: readonly number[]): string[] {
    const problems: string[] = [];
    for (const address of addresses) {
      const family = familyOf(address);
      const ranges = family === undefined ? undefined : this.#families.get(family);
      if (ranges === undefined) problems.push(`clusterIP ${address} is outside of the configured ranges`);
      else if (!ranges.adopt(address)) problems.push(`clusterIP ${address} is also held by another service`);
    }
    for (const port of ports) {
      const fault = this.takePort(port);
      if (fault !== undefined) problems.push(`nodePort ${port}: ${fault}`);
    }
    return problems;
  }

  allocation(): Allocation {
    return {
      commit: () => {
        for (const address of this.#freedAddresses) this.#free(address);
        for (const port of this.#freedPorts) this.#nodePorts.release(port);
      },
      revert: () => {
        for (const address of this.#takenAddresses) this.#free(address);
        for (const port of this.#takenPorts) this.#nodePorts.release(port);
      },
    };
  }

  #free(address: string): void {
    const family = familyOf(address);
    if (family !== undefined) this.#families.get(family)?.release(address);
  }
}
