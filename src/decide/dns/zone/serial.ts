/** Serial number arithmetic (RFC 1982): 32 bits that go round. */
export function isNewer(serial: number, than: number): boolean {
  const difference = (serial - than) >>> 0;
  return difference > 0 && difference < 0x8000_0000;
}
