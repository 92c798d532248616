/** `Buffer` as far as decisions use it: the length of a label in bytes. Imported first. */
const encoder = new TextEncoder();

Object.assign(globalThis, { Buffer: { byteLength: (text: string): number => encoder.encode(text).length } });
