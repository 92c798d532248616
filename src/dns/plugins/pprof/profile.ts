/** V8's profiles as pprof reads them (google/pprof `proto/profile.proto`), gzipped. */
import { gzipSync } from "node:zlib";

export interface ProfileFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

export interface ProfileSample {
  /** From the leaf to the root. */
  readonly stack: readonly ProfileFrame[];
  /** One for each of the profile's types. */
  readonly values: readonly number[];
}

export interface ProfileType {
  /** `cpu`, `samples`, `inuse_space` */
  readonly type: string;
  /** `nanoseconds`, `count`, `bytes` */
  readonly unit: string;
}

export interface Profile {
  readonly types: readonly ProfileType[];
  readonly samples: readonly ProfileSample[];
  /** Between samples, in the unit of the last type. */
  readonly period: number;
  /** Of the start, in nanoseconds since the epoch. */
  readonly timeNanos: number;
  readonly durationNanos: number;
}

export function encodeProfile(profile: Profile): Uint8Array {
  const strings = new Table<string>((text) => text);
  strings.add("");
  const frames = new Table<ProfileFrame>(({ name, file, line }) => `${name}\u0000${file}\u0000${line}`);
  const out = new Protobuf();
  const valueType = ({ type, unit }: ProfileType) => new Protobuf().number(1, strings.add(type)).number(2, strings.add(unit));
  for (const type of profile.types) out.message(1, valueType(type));
  for (const { stack, values } of profile.samples) {
    const locations = stack.map((frame) => frames.add(frame) + 1);
    out.message(2, new Protobuf().packed(1, locations).packed(2, values));
  }
  frames.items.forEach(({ name, file, line }, i) => {
    out.message(4, new Protobuf().number(1, i + 1).message(4, new Protobuf().number(1, i + 1).number(2, line)));
    const text = strings.add(name === "" ? "(anonymous)" : name);
    out.message(
      5,
      new Protobuf()
        .number(1, i + 1)
        .number(2, text)
        .number(3, text)
        .number(4, strings.add(file))
        .number(5, line),
    );
  });
  const last = profile.types.at(-1);
  const period = last === undefined ? undefined : valueType(last);
  for (const text of strings.items) out.bytes(6, Buffer.from(text));
  out.number(9, profile.timeNanos).number(10, profile.durationNanos);
  if (period !== undefined) out.message(11, period);
  out.number(12, profile.period);
  return gzipSync(out.finish());
}

class Table<T> {
  readonly items: T[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #key: (item: T) => string;

  constructor(key: (item: T) => string) {
    this.#key = key;
  }

  add(item: T): number {
    const key = this.#key(item);
    const there = this.#indexes.get(key);
    if (there !== undefined) return there;
    this.#indexes.set(key, this.items.length);
    return this.items.push(item) - 1;
  }
}

class Protobuf {
  readonly #parts: Uint8Array[] = [];

  number(field: number, value: number): this {
    this.#parts.push(varint(field << 3), varint(value));
    return this;
  }

  bytes(field: number, bytes: Uint8Array): this {
    this.#parts.push(varint((field << 3) | 2), varint(bytes.length), bytes);
    return this;
  }

  packed(field: number, values: readonly number[]): this {
    return this.bytes(field, Buffer.concat(values.map(varint)));
  }

  message(field: number, message: Protobuf): this {
    return this.bytes(field, message.finish());
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(Math.max(0, Math.round(value)));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
