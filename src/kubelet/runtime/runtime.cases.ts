/**
 * What every runtime of processes must do, as cases that need no test runner: so that they also run inside namespaces, as
 * another user, in a program of their own (`test/root/kubelet.test.ts`).
 */
import { fileCases, isolatedFileCases } from "./cases/file-cases.ts";
import { isolatedNetworkCases, networkCases } from "./cases/network-cases.ts";
import { isolatedProcessCases, processCases } from "./cases/process-cases.ts";
import { realCases } from "./cases/real-cases.ts";
import type { RuntimeCase } from "./cases/rig.ts";
import { sessionCases } from "./cases/session-cases.ts";

export { start, type RuntimeCase, type RuntimeRig } from "./cases/rig.ts";

const isolated = [...isolatedProcessCases, ...isolatedNetworkCases, ...isolatedFileCases];

export const runtimeCases: readonly RuntimeCase[] = [
  ...processCases,
  ...sessionCases,
  ...networkCases,
  ...fileCases,
  ...isolated.map((one) => ({ ...one, needs: "isolated" as const })),
  ...realCases,
];
