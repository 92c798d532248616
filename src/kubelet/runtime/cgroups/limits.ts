/** A container's limits as the files of its cgroup have them (cgroups(7); kubelet: pkg/kubelet/cm/helpers_linux.go). Pure. */
import type { Container } from "../../../api/types.ts";
import { parseQuantity } from "../../../api/quantity.ts";

export interface Limits {
  /** Of one core; 2000: two cores. */
  readonly cpuMillis?: number;
  readonly memoryBytes?: number;
}

export type CgroupVersion = 1 | 2;

/** One line of a file of the cgroup, in the hierarchy of that controller (version 2 has one for all). */
export interface CgroupSetting {
  readonly controller: "cpu" | "memory";
  readonly file: string;
  readonly value: string;
}

const periodMicroseconds = 100_000;
/** Quantities are counted in billionths. */
const nanosInOne = 1e9;
/** The kernel takes no less. */
const leastQuotaMicroseconds = 1_000;

/** Undefined where it has none that a cgroup could hold. */
export function limitsOf({ resources }: Container): Limits | undefined {
  const cpu = numberOf(resources?.limits?.["cpu"]);
  const memory = numberOf(resources?.limits?.["memory"]);
  if (cpu === undefined && memory === undefined) return undefined;
  return {
    ...(cpu === undefined ? {} : { cpuMillis: Math.ceil(cpu * 1000) }),
    ...(memory === undefined ? {} : { memoryBytes: Math.floor(memory) }),
  };
}

export function cgroupSettings({ cpuMillis, memoryBytes }: Limits, version: CgroupVersion): readonly CgroupSetting[] {
  const quota = cpuMillis === undefined ? undefined : Math.max(leastQuotaMicroseconds, (cpuMillis * periodMicroseconds) / 1000);
  const memory =
    memoryBytes === undefined
      ? []
      : [{ controller: "memory", file: version === 2 ? "memory.max" : "memory.limit_in_bytes", value: String(memoryBytes) } as const];
  if (quota === undefined) return memory;
  if (version === 2) return [...memory, { controller: "cpu", file: "cpu.max", value: `${quota} ${periodMicroseconds}` }];
  return [
    ...memory,
    { controller: "cpu", file: "cpu.cfs_period_us", value: String(periodMicroseconds) },
    { controller: "cpu", file: "cpu.cfs_quota_us", value: String(quota) },
  ];
}

/** How many processes the kernel has killed for want of memory: the text of `memory.events`, of version 1 `memory.oom_control`. */
export function oomKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

function numberOf(quantity: string | undefined): number | undefined {
  const nano = quantity === undefined ? 0n : (parseQuantity(quantity)?.nano ?? 0n);
  return nano > 0n ? Number(nano) / nanosInOne : undefined;
}
