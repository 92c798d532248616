import { describe, expect, test } from "vitest";
import { createTerminal, table } from "./terminal.ts";

function capture(options: { isTTY?: boolean; env?: Record<string, string>; quiet?: boolean } = {}) {
  const written = { out: "", err: "" };
  const stream = (key: "out" | "err") => ({
    isTTY: options.isTTY ?? false,
    columns: 40,
    write: (text: string) => ((written[key] += text), true),
  });
  let now = 0;
  const terminal = createTerminal({
    out: stream("out") as never,
    err: stream("err") as never,
    env: options.env ?? {},
    quiet: options.quiet ?? false,
    now: () => (now += 250),
  });
  return { terminal, written };
}

describe("without a terminal", () => {
  test("a step is one plain line when it ends", () => {
    const { terminal, written } = capture();
    const step = terminal.step("Waiting");
    step.update("1 of 3");
    step.done("3 of 3");
    terminal.print("result");
    expect(written).toEqual({ err: "✓ 3 of 3 0.25 s\n", out: "result\n" });
  });

  test("quiet leaves results only", () => {
    const { terminal, written } = capture({ quiet: true });
    terminal.step("Waiting").fail();
    terminal.note("note");
    terminal.print("result");
    expect(written).toEqual({ err: "", out: "result\n" });
  });
});

describe("in a terminal", () => {
  test("a step is replaced where it stands, cut to the width", () => {
    const { terminal, written } = capture({ isTTY: true, env: { NO_COLOR: "1" } });
    terminal.step("x".repeat(100)).done("ready");
    expect(written.err).toBe(`\r\u001b[2K… ${"x".repeat(37)}\r\u001b[2K✓ ready 0.25 s\n`);
  });

  test("colour follows NO_COLOR and FORCE_COLOR", () => {
    expect(capture({ isTTY: true }).terminal.paint.red("x")).toBe("\u001b[31mx\u001b[39m");
    expect(capture({ isTTY: true, env: { NO_COLOR: "" } }).terminal.paint.red("x")).toBe("x");
    expect(capture({ env: { FORCE_COLOR: "1" } }).terminal.paint.red("x")).toBe("\u001b[31mx\u001b[39m");
    expect(capture({ isTTY: true, env: { CI: "true" } }).terminal.interactive).toBe(false);
  });
});

test("columns are as wide as what is seen", () => {
  expect(
    table(
      [
        ["a", "\u001b[31mlong\u001b[39m", "x"],
        ["bbb", "c", "y"],
      ],
      "  ",
    ),
  ).toBe("  a    \u001b[31mlong\u001b[39m  x\n  bbb  c     y");
});
