import { expect, test } from "vitest";
import type { Findings } from "../../host/capabilities/probe.ts";
import { capabilityIds } from "../../host/capabilities/capability.ts";
import { doctorReport, doctorText } from "./doctor.ts";
import type { Check } from "./checks.ts";
import { createTerminal } from "../terminal.ts";

const { paint } = createTerminal({
  out: { write: () => true, isTTY: false },
  err: { write: () => true, isTTY: false, columns: 80 },
  env: { NO_COLOR: "1" },
});
const machine: readonly Check[] = ["node", "loopback-addresses", "disk", "kubectl"].map((id) => ({ id, ok: true, why: `${id} is fine` }));
const good: Findings = {
  capabilities: capabilityIds.map((id) => ({ id, ok: true, why: `${id} was tried` })),
  mode: { mode: "namespaces", userNamespace: true },
};
const without = (id: string, enable?: string): Findings => ({
  capabilities: good.capabilities.map((one) =>
    one.id === id ? { ...one, ok: false, why: `no ${id}`, ...(enable === undefined ? {} : { enable }) } : one,
  ),
  mode: id === "nftables" ? { mode: "loopback", userNamespace: false, why: "no nftables", enable: "modprobe nf_tables" } : good.mode,
});

test("where all is well each line says so", () => {
  const report = doctorReport(good, machine);
  expect(report).toMatchObject({ kind: "DoctorReport", ok: true, mode: { mode: "namespaces" } });
  expect(report.mode).not.toHaveProperty("userNamespace");
  const text = doctorText(report, paint);
  expect(text).toContain("namespaces mode");
  expect(text.match(/✓/g)).toHaveLength(1 + machine.length + capabilityIds.length - 1);
  expect(text).not.toContain("without it");
});

test("what is missing says what follows and what to run, and a cluster runs all the same", () => {
  const report = doctorReport(without("low-ports", "sudo sysctl -w x=80"), machine);
  expect(report.ok).toBe(true);
  expect(doctorText(report, paint)).toMatch(
    /✗ {2}low-ports +no low-ports\n +without it: load balancers listen on stand-ins.*\n +sudo sysctl -w x=80\n/,
  );
});

test("without namespaces the mode is loopback, and the way to more comes first", () => {
  const text = doctorText(doctorReport(without("nftables"), machine), paint);
  expect(text).toMatch(/^! Clusters run in loopback mode here, for want of more: no nftables\n {2}modprobe nf_tables\n/);
});

test("without what every cluster needs it fails", () => {
  const report = doctorReport(good, [{ id: "disk", ok: false, why: "full" }]);
  expect(report.ok).toBe(false);
  expect(doctorText(report, paint)).toMatch(/^No cluster can run here/);
});
