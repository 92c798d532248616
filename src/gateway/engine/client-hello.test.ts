import { connect } from "node:tls";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readClientHello } from "./client-hello.ts";

/** The first bytes that OpenSSL sends. */
function hello(servername: string | undefined, ALPNProtocols: string[] = []): Promise<Buffer> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const wire = new Duplex({
      read() {},
      write(bytes: Buffer, _encoding, done) {
        pieces.push(bytes);
        done();
        resolve(Buffer.concat(pieces));
      },
    });
    const socket = connect({ socket: wire, ALPNProtocols, ...(servername === undefined ? {} : { servername }) });
    socket.on("error", () => {});
  });
}

test("the server name of a real ClientHello, as early as it is whole", async () => {
  const bytes = await hello("Shop.Example.test", ["h2", "http/1.1"]);
  expect(readClientHello(bytes)).toEqual({ kind: "hello", serverName: "shop.example.test" });
  for (let end = 0; end < bytes.length; end++) expect(readClientHello(bytes.subarray(0, end))).toEqual({ kind: "incomplete" });
  expect(readClientHello(Buffer.concat([bytes, Buffer.from("more")]))).toEqual({ kind: "hello", serverName: "shop.example.test" });
});

test("without a name; in several records", async () => {
  expect(readClientHello(await hello(undefined))).toEqual({ kind: "hello", serverName: undefined });
  const bytes = await hello("a.test");
  const message = bytes.subarray(5);
  const record = (part: Buffer) => Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
  const split = Buffer.concat([record(message.subarray(0, 1)), record(message.subarray(1, 40)), record(message.subarray(40))]);
  expect(readClientHello(split)).toEqual({ kind: "hello", serverName: "a.test" });
});

test("what is no TLS is known from its first byte", () => {
  expect(readClientHello(Buffer.from("GET / HTTP/1.1\r\n")).kind).toBe("malformed");
  expect(readClientHello(Buffer.from([22, 2])).kind).toBe("malformed");
  expect(readClientHello(Buffer.from([22, 3, 1, 255, 255])).kind).toBe("malformed");
});

test("whatever a stranger changes, it is read or refused, and a name is one that a host can have", async () => {
  const bytes = await hello("shop.test", ["h2"]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(bytes.length), (changes, end) => {
      const changed = Buffer.from(bytes);
      for (const [at, value] of changes) changed[at] = value;
      const result = readClientHello(changed.subarray(0, end));
      if (result.kind === "hello" && result.serverName !== undefined) expect(result.serverName).toMatch(/^[a-z0-9_.-]*$/);
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (random) => void readClientHello(Buffer.from(random))));
});
