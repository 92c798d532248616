/** Attributes of an answer by their types; what is missing is empty. */
import { readString, readU32be } from "../netlink/reader.ts";

export function text(attributes: ReadonlyMap<number, Uint8Array>, type: number): string {
  const found = attributes.get(type);
  return found === undefined ? "" : readString(found);
}

export function number(attributes: ReadonlyMap<number, Uint8Array>, type: number): number {
  const found = attributes.get(type);
  return found === undefined ? 0 : readU32be(found);
}
