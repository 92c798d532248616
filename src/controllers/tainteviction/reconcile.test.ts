import { expect, test } from "vitest";
import type { Node, Pod, Taint, Toleration } from "../../api/types.ts";
import { planEviction } from "./reconcile.ts";

const node = (...taints: readonly Taint[]): Node => ({ metadata: { name: "n" }, spec: { taints } });
const pod = (...tolerations: readonly Toleration[]): Pod => ({ metadata: { name: "p" }, spec: { containers: [], tolerations } });
const gone: Taint = { key: "node.kubernetes.io/unreachable", effect: "NoExecute" };
const gpu: Taint = { key: "gpu", effect: "NoExecute" };
const bears = (key: string, tolerationSeconds?: number): Toleration => ({
  key,
  operator: "Exists",
  effect: "NoExecute",
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
});

test.each<readonly [string, Pod, Node | undefined, number | undefined]>([
  ["no taint", pod(), node(), undefined],
  ["no node", pod(), undefined, undefined],
  ["a taint that only keeps others away", pod(), node({ key: "gpu", effect: "NoSchedule" }), undefined],
  ["a taint that it does not bear", pod(), node(gpu), 0],
  ["one that it bears", pod(bears("gpu")), node(gpu), undefined],
  ["one that it bears for a while", pod(bears(gone.key, 300)), node(gone), 300_000],
  ["two: the shorter time", pod(bears(gone.key, 300), bears("gpu", 10)), node(gone, gpu), 10_000],
  ["two, of which it bears one", pod(bears(gone.key, 300)), node(gone, gpu), 0],
  ["everything", pod({ operator: "Exists" }), node(gone, gpu), undefined],
  ["going already", { ...pod(), metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }, node(gpu), undefined],
])("%s", (_, who, where, after) => {
  expect(planEviction(who, where)).toEqual(after === undefined ? { kind: "stay" } : { kind: "leave", afterMs: after });
});
