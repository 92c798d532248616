import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../lib/clock.ts";
import { httpEndpoint, Opened, rawClient, rawEndpoint, scaled, startEngine } from "../testing.ts";

const opened = new Opened();
afterEach(() => opened.closeAll());

const patient = 60_000;
const get = (path = "/", ...fields: string[]) => `${[`GET ${path} HTTP/1.1`, "Host: shop.test", ...fields].join("\r\n")}\r\n\r\n`;

/** Says what it was asked, as one JSON line; a body is counted. */
const echo = (opened: Opened, name = "one") =>
  httpEndpoint(opened, (request, response) => {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    request.on("end", () =>
      response.end(`${JSON.stringify({ name, method: request.method, url: request.url, headers: request.headers, bytes })}\n`),
    );
  });

/** Answers each request, told by its head, with these bytes. */
const canned = (opened: Opened, ...answers: (string | ((socket: Socket) => void))[]) => {
  const seen: string[] = [];
  let index = 0;
  const port = rawEndpoint(opened, (socket) => {
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      if (!text.endsWith("\r\n\r\n")) return;
      seen.push(text);
      text = "";
      const answer = answers[Math.min(index++, answers.length - 1)] as (typeof answers)[number];
      if (typeof answer === "string") socket.write(answer, "latin1");
      else answer(socket);
    });
  });
  return { port, seen };
};

describe("a request and its answer", () => {
  test("go through, with who asked and without what is the connection's own", { timeout: patient }, async () => {
    const { port } = await echo(opened);
    const engine = await startEngine(opened, [port]);
    const client = rawClient(opened, engine.port);
    client.send(
      get(
        "/a/%62?c=d",
        "X-Mine: 1",
        "X-Forwarded-For: 6.6.6.6",
        "X_Forwarded_For: 7.7.7.7",
        "Connection: x-hop",
        "X-Hop: 1",
        "TE: trailers",
      ),
    );
    const text = await client.until((all) => all.endsWith("}\n"));
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    const { headers, url } = JSON.parse(text.slice(text.indexOf("{"))) as { headers: Record<string, string>; url: string };
    expect(url).toBe("/a/b?c=d");
    expect(headers).toEqual({
      host: "shop.test",
      "x-mine": "1",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-host": "shop.test",
      "x-forwarded-port": String(engine.port),
      "x-forwarded-proto": "http",
      "x-real-ip": "127.0.0.1",
    });
  });

  test("pipelined requests are answered in their order, byte by byte or at once", { timeout: patient }, async () => {
    const { port } = await echo(opened);
    const engine = await startEngine(opened, [port]);
    for (const step of [1, 7, 10_000]) {
      const client = rawClient(opened, engine.port);
      const all = `${get("/1")}POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n"}${get("/4", "Connection: close")}`;
      for (let at = 0; at < all.length; at += step) client.send(all.slice(at, at + step));
      const text = await client.closed();
      expect([...text.matchAll(/"url":"(\/\d)"/g)].map((match) => match[1])).toEqual(["/1", "/2", "/3", "/4"]);
      expect([...text.matchAll(/"bytes":(\d)/g)].map((match) => match[1])).toEqual(["0", "5", "3", "0"]);
    }
  });

  test("HEAD, 204 and 304 have no body, and the connection goes on", { timeout: patient }, async () => {
    const { port } = canned(
      opened,
      "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
    );
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    client.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${get()}${get()}`);
    const text = await client.until((all) => all.includes("ETag"));
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 204", "HTTP/1.1 304"]);
    expect(text).toContain("Content-Length: 99\r\n");
  });

  test("chunks, extensions and trailers of an answer", { timeout: patient }, async () => {
    const answer =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n";
    const { port } = canned(opened, answer);
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    client.send(get());
    const text = await client.until((all) => all.includes("\r\n0\r\n") && all.endsWith("\r\n\r\n"));
    expect(text).toBe("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 1\r\n\r\n");
  });

  test("an HTTP/1.0 client gets the same without chunks, and the end", { timeout: patient }, async () => {
    const { port } = canned(opened, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    expect(await client.closed()).toBe("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
  });

  test("an answer that ends with its connection becomes chunks", { timeout: patient }, async () => {
    const { port } = canned(opened, (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    client.send(get());
    expect(await client.until((all) => all.endsWith("0\r\n\r\n"))).toBe(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nuntil the end\r\n0\r\n\r\n",
    );
  });

  test("100-continue is the endpoint's to say, and 103 passes too", { timeout: patient }, async () => {
    const port = await rawEndpoint(opened, (socket) => {
      let text = "";
      socket.on("data", (bytes: Buffer) => {
        const before = text.length;
        text += bytes.toString("latin1");
        if (before === 0) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        else if (text.endsWith("hello"))
          socket.write("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    });
    const engine = await startEngine(opened, [port]);
    const client = rawClient(opened, engine.port);
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    expect(await client.until((all) => all.includes("100"))).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    expect(await client.until((all) => all.endsWith("ok"))).toContain("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n");
  });

  test("events come one by one, as they are sent", { timeout: patient }, async () => {
    let stream: Socket | undefined;
    const { port } = canned(opened, (socket) => {
      stream = socket;
      socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    });
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    client.send(get());
    await client.until((all) => all.endsWith("\r\n\r\n"));
    for (const event of ["one", "two"]) {
      stream?.write(`3\r\n${event}\r\n`);
      await client.until((all) => all.endsWith(`3\r\n${event}\r\n`));
    }
  });

  test("OPTIONS * is for the gateway itself", { timeout: patient }, async () => {
    const engine = await startEngine(opened, []);
    const client = rawClient(opened, engine.port);
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await client.until((all) => all.endsWith("\r\n\r\n"))).toBe("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
});

describe("endpoints", () => {
  test("take turns", { timeout: patient }, async () => {
    const [one, two] = [await echo(opened, "one"), await echo(opened, "two")];
    const engine = await startEngine(opened, [one.port, two.port]);
    const client = rawClient(opened, engine.port);
    const names = () => [...client.text().matchAll(/"name":"(\w+)"/g)].map((match) => match[1]);
    for (let count = 1; count <= 4; count++) {
      client.send(get());
      await client.until(() => names().length === count);
    }
    expect(names().toSorted()).toEqual(["one", "one", "two", "two"]);
  });

  test("that refuse are passed over before anything is said, whatever the method", { timeout: patient }, async () => {
    const { port } = await echo(opened);
    const closed = await closedPort();
    const engine = await startEngine(opened, [closed, port]);
    const client = rawClient(opened, engine.port);
    for (let count = 1; count <= 6; count++) {
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
      const text = await client.until((all) => all.split("}\n").length === count + 1);
      expect(text.match(/"bytes":5/g)?.length).toBe(count);
    }
    await expect.poll(() => engine.records.map(({ status }) => status), { timeout: patient }).toEqual([200, 200, 200, 200, 200, 200]);
  });

  test("none, or none that can be reached: 503 and 502 at once, with the reason", { timeout: patient }, async () => {
    const engine = await startEngine(opened, []);
    engine.engine.publish({
      backends: new Map([
        ["default/web:80", { kind: "unusable", reason: "NoEndpoints", message: "Service default/web has no ready endpoint" }],
      ]),
    });
    await engine.engine.settled();
    const client = rawClient(opened, engine.port);
    client.send(get());
    expect(await client.until((all) => all.endsWith("endpoint\n"))).toMatch(
      /^HTTP\/1\.1 503 Service Unavailable\r\n[^]*NoEndpoints: Service default\/web has no ready endpoint\n$/,
    );
    await engine.setEndpoints(await closedPort(), await closedPort());
    client.send(get());
    expect(await client.until((all) => all.includes("502"))).toContain("EndpointsFailed");
  });

  test("a kept connection that the endpoint closed costs nothing where asking again is safe, else 502", { timeout: patient }, async () => {
    const closeNext = (socket: Socket) => void socket.destroy();
    const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const { port, seen } = canned(opened, fine, closeNext, fine, closeNext);
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    const answers = (all: string) => all.match(/HTTP\/1\.1 \d+/g) ?? [];
    client.send(get("/1"));
    await client.until((all) => answers(all).length === 1);
    client.send(get("/2"));
    expect(answers(await client.until((all) => answers(all).length === 2))).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
    client.send("POST /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(answers(await client.until((all) => answers(all).length === 3))[2]).toBe("HTTP/1.1 502");
    expect(seen.map((text) => text.split(" ")[1])).toEqual(["/1", "/2", "/2", "/3"]);
  });

  test("that accept and go away without a word are passed over where asking again is safe", { timeout: patient }, async () => {
    const rude = await rawEndpoint(opened, (socket) => void socket.once("data", () => socket.resetAndDestroy()));
    const { port } = await echo(opened);
    const engine = await startEngine(opened, [rude, port]);
    const statuses: string[] = [];
    for (const method of ["GET", "POST", "GET", "POST"]) {
      const client = rawClient(opened, engine.port);
      client.send(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      statuses.push(`${method} ${(await client.closed()).slice(9, 12)}`);
    }
    expect(statuses.filter((each) => each.startsWith("GET"))).toEqual(["GET 200", "GET 200"]);
    expect(statuses).toContain("POST 502");
  });

  test("that answer nonsense are answered for with 502, and their connection is not used again", { timeout: patient }, async () => {
    const bad = [
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "nonsense\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
      "HTTP/1.1 200 OK\nX: y\n\r\n\r\n",
    ];
    const { port } = canned(
      opened,
      ...bad,
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    );
    const engine = await startEngine(opened, [await port]);
    for (const _ of bad) {
      const client = rawClient(opened, engine.port);
      client.send(get("/", "Connection: close"));
      expect(await client.closed()).toMatch(/^HTTP\/1\.1 502 /);
    }
    const client = rawClient(opened, engine.port);
    client.send(`${get()}${get()}`);
    const text = await client.until((all) => all.endsWith("no"));
    expect(text).not.toContain("evil");
  });

  test("that break off break off for the client too: it never takes half an answer for a whole one", { timeout: patient }, async () => {
    const { port } = canned(
      opened,
      (socket) => void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", () => socket.destroy()),
    );
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    client.send(get());
    expect(await client.closed()).not.toContain("\r\n0\r\n");
  });

  test("a client that goes away takes its request with it", { timeout: patient }, async () => {
    const gone = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const { port } = canned(opened, (socket) => {
      socket.on("end", () => gone.resolve());
      asked.resolve();
    });
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    client.send(get());
    await asked.promise;
    client.socket.resetAndDestroy();
    await gone.promise;
    await expect.poll(() => engine.records.map(({ status }) => status), { timeout: patient }).toEqual([499]);
  });

  test("an answer before the request's end: the rest still goes there, and the connection is kept", { timeout: patient }, async () => {
    const whole = Promise.withResolvers<string>();
    const port = await rawEndpoint(opened, (socket) => {
      let text = "";
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"));
      socket.on("data", (bytes: Buffer) => {
        text += bytes.toString("latin1");
        if (text.endsWith("abcdef")) whole.resolve(text);
      });
    });
    const engine = await startEngine(opened, [port]);
    const client = rawClient(opened, engine.port);
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    expect(await client.until((all) => all.endsWith("early"))).not.toContain("Connection: close");
    client.send("defOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await whole.promise).toContain("\r\n\r\nabcdef");
    await client.until((all) => all.endsWith("Content-Length: 0\r\n\r\n"));
  });

  test(
    "a client that wants the end, and reads late: it gets the answer whole, then the end, which it need not answer",
    {
      timeout: patient,
    },
    async () => {
      const body = Buffer.alloc(8 << 20, "x");
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
      const wrote = Promise.withResolvers<void>();
      const port = await rawEndpoint(opened, (socket) => {
        socket.once("data", () => {
          socket.write(head);
          // Most of it is neither here nor with the client by then.
          socket.write(body.subarray(0, 1 << 20), () => wrote.resolve());
          socket.write(body.subarray(1 << 20));
        });
      });
      const engine = await startEngine(opened, [port]);
      const { socket } = rawClient(opened, engine.port);
      socket.pause();
      socket.write(get("/", "Connection: close"));
      await wrote.promise;
      let received = 0;
      socket.on("data", (bytes: Buffer) => (received += bytes.length));
      socket.resume();
      await once(socket, "end");
      expect(received).toBe(head.length + "Connection: close\r\n".length + body.length);
      // Its own side is still open; the gateway's is over and done with.
      await expect.poll(() => engine.engine.stats().clients, { timeout: patient }).toBe(0);
    },
  );

  test(
    "an answer before the request's end, from an endpoint that then goes: the client gets it whole, then the end",
    { timeout: patient },
    async () => {
      const port = await rawEndpoint(opened, (socket) => {
        socket.once("data", () => socket.end("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig"));
      });
      const engine = await startEngine(opened, [port]);
      const client = rawClient(opened, engine.port);
      client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
      expect(await client.closed()).toMatch(/^HTTP\/1\.1 413 [^]*big$/);
    },
  );
});

async function closedPort(): Promise<number> {
  const own = new Opened();
  const port = await rawEndpoint(own, () => {});
  await own.closeAll();
  return port;
}

describe("limits", () => {
  const advance = async (clock: FakeClock, ms: number) => {
    for (let at = 0; at < ms; at += 1000) clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  };

  test("a head, a body, an idle connection and an endpoint have their time", { timeout: patient }, async () => {
    const clock = new FakeClock();
    let received = "";
    const got = { question: Promise.withResolvers<void>(), body: Promise.withResolvers<void>() };
    const port = await rawEndpoint(opened, (socket) => {
      socket.on("data", (bytes: Buffer) => {
        received += bytes.toString("latin1");
        if (received.includes("GET /")) got.question.resolve();
        if (received.includes("abc")) got.body.resolve();
      });
    });
    const engine = await startEngine(opened, [port], scaled({ headMs: 3000, bodyMs: 5000, idleMs: 8000, responseMs: 20_000 }), clock);
    const connected = () => rawClient(opened, engine.port);
    const [head, body, idle, waiting] = [connected(), connected(), connected(), connected()];
    // The half of a head comes with a whole one, whose answer says that both have come.
    head.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET / HT");
    idle.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting.send(get());
    body.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    await Promise.all([head, idle].map((client) => client.until((all) => all.includes("200"))));
    await Promise.all([got.question.promise, got.body.promise]);
    await advance(clock, 5000);
    expect(await head.closed()).toMatch(/\r\n\r\nHTTP\/1\.1 408 /);
    await advance(clock, 5000);
    expect(await body.closed()).toMatch(/^HTTP\/1\.1 (408|504) /);
    await advance(clock, 5000);
    expect(await idle.closed()).toMatch(/\r\n\r\n$/);
    await advance(clock, 10_000);
    expect(await waiting.until((all) => all.includes("\r\n\r\n"))).toMatch(/^HTTP\/1\.1 504 /);
  });

  test("a body that is too long is refused, by its length or when it is", { timeout: patient }, async () => {
    const { port } = await echo(opened);
    const engine = await startEngine(opened, [port], { bodyBytes: 10 });
    for (const text of [
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n012345678901234\r\n",
    ]) {
      const client = rawClient(opened, engine.port);
      client.send(text);
      expect(await client.closed()).toMatch(/^HTTP\/1\.1 413 /);
    }
  });

  test("connections beyond the limit are closed at once", { timeout: patient }, async () => {
    const engine = await startEngine(opened, [], { connections: 1 });
    const first = rawClient(opened, engine.port);
    await once(first.socket, "connect");
    first.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    await first.until((all) => all.includes("200"));
    expect(await rawClient(opened, engine.port).closed()).toBe("");
  });
});

const mebibyte = 1 << 20;

/** Writes `total` random bytes in pieces of many sizes, as fast as they are taken; gives their digest once all are written. */
function pour(to: Writable, total: number, frame: (bytes: Buffer) => Buffer): Promise<string> {
  const sum = createHash("sha256");
  let left = total;
  return new Promise((resolve) => {
    const more = () => {
      while (left > 0) {
        const bytes = randomBytes(Math.min(left, 1 + ((left * 7919) % 200_003)));
        left -= bytes.length;
        sum.update(bytes);
        if (!to.write(frame(bytes)) && left > 0) return void to.once("drain", more);
      }
      resolve(sum.digest("hex"));
    };
    more();
  });
}

/** Reads `total` bytes with a pause after each 256 KiB, so that everything before it backs up; gives their digest. */
function sip(from: Readable, total: number, skip: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<string> {
  const sum = createHash("sha256");
  let count = 0;
  let unpaused = 0;
  return new Promise((resolve) => {
    from.on("data", (all: Buffer) => {
      const bytes = skip(all);
      sum.update(bytes);
      count += bytes.length;
      unpaused += bytes.length;
      if (count >= total) resolve(sum.digest("hex"));
      if (unpaused < mebibyte / 4) return;
      unpaused = 0;
      from.pause();
      setTimeout(() => from.resume(), 1);
    });
  });
}

/** Takes the head off the first pieces. */
function headSkipper(): (bytes: Buffer) => Buffer {
  let head: string | undefined = "";
  return (bytes) => {
    if (head === undefined) return bytes;
    head += bytes.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return Buffer.alloc(0);
    const rest = Buffer.from(head.slice(end + 4), "latin1");
    head = undefined;
    return rest;
  };
}

test(
  "20 MiB of random bytes each way at once, chunked up, by length down, slow readers: they arrive whole",
  { timeout: 180_000 },
  async () => {
    const size = 20 * mebibyte;
    const atEndpoint = Promise.withResolvers<readonly [string, string]>();
    const { port } = await httpEndpoint(opened, (request, response) => {
      response.writeHead(200, { "content-length": String(size) });
      const both = Promise.all([sip(request, size), pour(response, size, (bytes) => bytes)]);
      void both.then(atEndpoint.resolve);
    });
    const engine = await startEngine(opened, [port]);
    const socket = connect({ host: "127.0.0.1", port: engine.port });
    opened.add(socket, () => socket.destroy());
    socket.write("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    // Extensions are in some chunks only: both ways of passing chunks on are used.
    const frame = (bytes: Buffer) => {
      const extension = bytes.length % 2 === 0 ? ";x=y" : "";
      return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}${extension}\r\n`), bytes, Buffer.from("\r\n")]);
    };
    const [sent, received] = await Promise.all([pour(socket, size, frame), sip(socket, size, headSkipper())]);
    socket.write("0\r\n\r\n");
    expect(await atEndpoint.promise).toEqual([sent, received]);
  },
);

describe("a change of protocol", () => {
  const upgrade = get("/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x");

  test(
    "joins both sockets, bytes that came early included, and outlives its endpoint's place in the table",
    { timeout: patient },
    async () => {
      const { port } = canned(opened, (socket) => {
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\nearly",
        );
        socket.removeAllListeners("data");
        socket.on("data", (bytes: Buffer) => socket.write(bytes.toString("latin1").toUpperCase()));
        socket.on("end", () => socket.end("bye"));
      });
      const engine = await startEngine(opened, [await port]);
      const client = rawClient(opened, engine.port);
      client.send(upgrade);
      const head = await client.until((all) => all.endsWith("early"));
      expect(head).toMatch(
        /^HTTP\/1\.1 101 Switching Protocols\r\nSec-WebSocket-Accept: y\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n/,
      );
      await engine.setEndpoints();
      await expect.poll(() => engine.engine.stats().tunnels, { timeout: patient }).toBe(1);
      client.send("hello");
      await client.until((all) => all.endsWith("HELLO"));
      client.socket.end();
      expect(await client.closed()).toMatch(/bye$/);
    },
  );

  test("that the endpoint declines is an answer like any other", { timeout: patient }, async () => {
    const { port, seen } = canned(opened, "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
    const engine = await startEngine(opened, [await port]);
    const client = rawClient(opened, engine.port);
    client.send(upgrade);
    expect(await client.until((all) => all.endsWith("no"))).toMatch(/^HTTP\/1\.1 400 /);
    expect(seen[0]).toContain("Connection: Upgrade\r\nUpgrade: websocket\r\n");
    await expect.poll(() => engine.engine.stats().tunnels, { timeout: patient }).toBe(0);
  });
});

test("stop: requests under way are answered, idle connections closed, nothing listens", { timeout: patient }, async () => {
  const answer = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const { port } = await httpEndpoint(opened, (_request, response) => {
    asked.resolve();
    void answer.promise.then(() => response.end("late"));
  });
  const engine = await startEngine(opened, [port]);
  const [busy, idle] = [rawClient(opened, engine.port), rawClient(opened, engine.port)];
  idle.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  await idle.until((all) => all.includes("200"));
  busy.send(get());
  await asked.promise;
  const stopped = engine.engine.stop(20_000);
  await idle.closed();
  answer.resolve();
  expect(await busy.closed()).toMatch(/Connection: close\r\n\r\nlate$/);
  await stopped;
  await expect(once(rawClient(opened, engine.port).socket, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});
