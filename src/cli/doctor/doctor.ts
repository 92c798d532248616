/** `fairlead doctor`: what this machine lets clusters do, by trying it; what does without, and what to run to have more. */
import type { CapabilityId, Mode } from "../../host/capabilities/capability.ts";
import { probeCapabilities, type Findings } from "../../host/capabilities/probe.ts";
import { askTool } from "../../host/tool.ts";
import { runningClusters } from "../cluster-file.ts";
import { machineChecks, type Check } from "./checks.ts";
import type { Output } from "../options.ts";
import { dataHome } from "../paths.ts";
import { table, type Paint, type Terminal } from "../terminal.ts";
import { kubernetesVersion, version } from "../version.ts";

/** Printed by `-o json` (docs/cli/doctor.md). */
export interface DoctorReport {
  readonly apiVersion: "fairlead.dev/v1alpha1";
  readonly kind: "DoctorReport";
  readonly version: string;
  /** Whether a cluster can run here at all. */
  readonly ok: boolean;
  /** What `up` chooses here; `why`: what namespaces mode lacks. */
  readonly mode: Pick<Mode, "mode" | "why" | "enable">;
  readonly checks: readonly DoctorCheck[];
}

export interface DoctorCheck extends Check {
  /** `needed`: no cluster without it. `namespaces`: loopback mode without it. `feature`: one thing less, as `without` says. */
  readonly weight: "needed" | "namespaces" | "feature";
  /** What happens where it is missing. */
  readonly without: string;
}

type Weight = readonly [DoctorCheck["weight"], string];

const toLoopback = "clusters run in loopback mode, where pods share the host's network";

/** What each is for. */
const weights: Readonly<Record<CapabilityId, Weight>> = {
  tools: ["namespaces", toLoopback],
  ffi: ["namespaces", toLoopback],
  "user-namespaces": ["namespaces", `an ordinary user's ${toLoopback}`],
  namespaces: ["namespaces", toLoopback],
  links: ["namespaces", toLoopback],
  ipv6: ["feature", "Services and pods have IPv4 addresses only"],
  nftables: ["namespaces", toLoopback],
  conntrack: ["feature", "pods cannot send UDP to outside, and UDP clients stay with endpoints that have left"],
  "low-ports": ["feature", "load balancers listen on stand-ins: 80 on 8080, 443 on 8443"],
  "subordinate-ids": ["feature", "pods run as one user only: yours, or root inside the pod"],
  "open-files": ["feature", "fewer pods and connections at once"],
  sctp: ["feature", "Services with protocol SCTP carry nothing"],
  ipvs: ["feature", "the proxy mode ipvs is not available"],
  tun: ["feature", ""],
};

const machineWeights: Readonly<Record<string, Weight>> = {
  node: ["needed", "nothing runs"],
  "loopback-addresses": ["needed", "no cluster has addresses that this machine reaches"],
  disk: ["needed", "no cluster can keep its objects"],
  kubectl: ["feature", ""],
};

/** Exit code 0: a cluster can run here. */
export async function doctor({ output }: { readonly output: Output }, terminal: Terminal): Promise<number> {
  const around = { nodeVersion: process.version, kubernetesVersion, dataHome: dataHome(), ask: askTool, clusters: runningClusters };
  const [findings, machine] = await Promise.all([probeCapabilities(), machineChecks(around)]);
  const report = doctorReport(findings, machine);
  terminal.print(output === "json" ? JSON.stringify(report, null, 2) : doctorText(report, terminal.paint));
  return report.ok ? 0 : 1;
}

/** Pure. */
export function doctorReport({ capabilities, mode }: Findings, machine: readonly Check[]): DoctorReport {
  const weighed = (check: Check, [weight, without]: Weight): DoctorCheck => ({ ...check, weight, without });
  // No part of this program needs a TUN device: that it is missing would only worry people.
  const kernel = capabilities.filter(({ id }) => id !== "tun");
  const checks = [
    ...machine.map((check) => weighed(check, machineWeights[check.id] ?? ["feature", ""])),
    ...kernel.map((capability) => weighed(capability, weights[capability.id])),
  ];
  const { userNamespace: _, ...chosen } = mode;
  return {
    apiVersion: "fairlead.dev/v1alpha1",
    kind: "DoctorReport",
    version,
    ok: checks.every(({ ok, weight }) => ok || weight !== "needed"),
    mode: chosen,
    checks,
  };
}

export function doctorText({ ok, mode, checks }: DoctorReport, paint: Paint): string {
  const rows = checks.flatMap((check) => rowsOf(check, paint));
  return [verdict(ok, mode, paint), table(rows, "  ")].join("\n\n");
}

function verdict(ok: boolean, { mode, why, enable }: DoctorReport["mode"], paint: Paint): string {
  if (!ok) return paint.red("No cluster can run here until what is marked ✗ and needed is mended.");
  if (mode === "namespaces") return `${paint.green("✓")} Clusters run in namespaces mode here: each node and pod has a network of its own.`;
  const lines = [`${paint.yellow("!")} Clusters run in loopback mode here, for want of more: ${why ?? "namespaces are not available"}`];
  return [...lines, ...(enable === undefined ? [] : [`  ${paint.cyan(enable)}`])].join("\n");
}

/** What is there takes a line; what is missing says what follows and what to do. */
function rowsOf({ id, ok, why, without, enable, weight }: DoctorCheck, paint: Paint): readonly (readonly string[])[] {
  if (ok) return [[paint.green("✓"), id, paint.dim(why)]];
  const mark = weight === "needed" ? paint.red("✗") : paint.yellow("✗");
  return [
    [mark, id, why],
    ...(without === "" ? [] : [["", "", paint.dim(`without it: ${without}`)]]),
    ...(enable === undefined ? [] : [["", "", paint.cyan(enable)]]),
  ];
}
