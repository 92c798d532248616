/** The FFI package, an optional dependency that this machine may have no build of. Loaded once a thread. */
import { createRequire } from "node:module";

/** An address of C's, or 0. */
export type Pointer = bigint | null;

export interface NativeLibrary {
  func(prototype: string): (...values: unknown[]) => unknown;
}

export interface Koffi {
  /** `null`: the running program with all that is linked into it. */
  load(path: null): NativeLibrary;
  errno(): number;
  address(view: Uint8Array): bigint;
  proto(prototype: string): unknown;
  pointer(type: unknown): unknown;
  register(callback: (...values: never[]) => number, type: unknown): bigint;
  encode(at: Pointer, type: string, value: bigint | number): void;
  decode(at: Pointer, type: string, count: number): number[];
}

/** Undefined where there is none. */
export function loadKoffi(): Koffi | undefined {
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch {
    return undefined;
  }
}
