/**
 * h2spec (github.com/summerwind/h2spec): others' test of HTTP/2 and HPACK against our front, strict cases included, over TLS and on a
 * plain port. What fails is written here with its reason; anything else that fails, and anything here that passes, fails the test.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { openLocalAuthority } from "../../src/gateway/local-authority.ts";
import { httpEndpoint, Opened, startEngine } from "../../src/gateway/testing.ts";

const program = process.env["H2SPEC"];
const patient = 300_000;
const opened = new Opened();
afterEach(() => opened.closeAll());

async function ports(): Promise<{ readonly plain: number; readonly secure: number }> {
  const endpoint = await httpEndpoint(opened, (request, response) => {
    request.resume();
    request.on("end", () => response.end("hello\n"));
  });
  const { engine, port } = await startEngine(opened, [endpoint.port]);
  const authority = await openLocalAuthority({ now: () => Date.now() });
  engine.publish({ certificates: [{ host: "*", ...authority.certificateFor("a.localhost") }] });
  const listener = await engine.listen({ name: "http", protocol: "HTTPS", host: "127.0.0.1", port: 0 });
  if (listener.kind === "failed") throw new Error(listener.message);
  return { plain: port, secure: listener.port };
}

interface Result {
  readonly tests: number;
  readonly failed: readonly string[];
}

/** Its report is JUnit's XML: `<testcase package="http2/3.5" classname="2: Sends …">` with `<failure>` or `<error>` inside. */
async function run(words: readonly string[]): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-h2spec-"));
  opened.add(directory, () => rmSync(directory, { recursive: true, force: true }));
  const report = join(directory, "report.xml");
  await promisify(execFile)(program as string, ["-h", "127.0.0.1", "-S", "-o", "20", "-j", report, ...words]).catch((error: unknown) => {
    // It ends with 1 when a case fails; what failed is in its report.
    if ((error as { code?: unknown }).code !== 1) throw error;
  });
  const cases = [...readFileSync(report, "utf8").matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs)];
  return {
    tests: cases.length,
    failed: cases.flatMap(([, section, name, inside = ""]) => (/<(?:failure|error)/.test(inside) ? [`${section} ${name}`] : [])),
  };
}

/**
 * "Clients and servers MUST treat an invalid connection preface as a connection error" (RFC 9113 3.4): a plain port also takes HTTP/1.1,
 * and there what is no preface is a request that cannot be read: 400 and the end. h2spec reads the 400 as a broken frame.
 */
const onPlainPort = ["http2/3.5 Sends invalid connection preface"];

describe("h2spec", () => {
  test("over TLS", { timeout: patient }, async (ctx) => {
    if (program === undefined) return ctx.skip("needs H2SPEC: the program, by test/peers/build.ts");
    const { secure } = await ports();
    const { tests, failed } = await run(["-p", String(secure), "-t", "-k"]);
    expect(failed).toEqual([]);
    expect(tests).toBeGreaterThanOrEqual(146);
  });

  test("on a plain port, with prior knowledge", { timeout: patient }, async (ctx) => {
    if (program === undefined) return ctx.skip("needs H2SPEC: the program, by test/peers/build.ts");
    const { plain } = await ports();
    const { tests, failed } = await run(["-p", String(plain)]);
    expect(failed).toEqual(onPlainPort);
    expect(tests).toBeGreaterThanOrEqual(146);
  });
});
