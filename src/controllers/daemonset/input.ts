/** What a pass over a DaemonSet looks at. */
import type { DaemonSet, Node, Pod } from "../../api/types.ts";
import { podRevisionLabel } from "../revision-history.ts";
import type { Placement } from "./placement.ts";

export interface DaemonSetInput {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  /** Those that it controls. */
  readonly pods: readonly Pod[];
  /** Of the present template. */
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What is on a node, and what should be. */
export interface Place {
  readonly node: string;
  readonly placement: Placement;
  readonly pods: readonly Pod[];
}

export const isOutdated = (pod: Pod, hash: string): boolean => pod.metadata.labels?.[podRevisionLabel] !== hash;

export const surges = ({ spec }: DaemonSet): boolean => {
  const { maxSurge = 0 } = spec?.updateStrategy?.rollingUpdate ?? {};
  return spec?.updateStrategy?.type !== "OnDelete" && maxSurge !== 0 && maxSurge !== "0%";
};
