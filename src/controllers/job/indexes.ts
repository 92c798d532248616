/** Completion indexes of an indexed Job as its status has them: `1,3-5,7` (upstream `pkg/controller/job/indexed_job_utils.go`). Pure. */
import { jobLabels } from "../../api/kinds/jobs.ts";
import type { Pod } from "../../api/types.ts";

/** Annotation and label of a pod. */
export const completionIndexKey = "batch.kubernetes.io/job-completion-index";

/** Text that is none, or beyond `completions`, counts as nothing: the status can be written by anyone. */
export function parseIndexes(text: string | undefined, completions: number): ReadonlySet<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? "").split(",")) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
    if (match === null) continue;
    const end = Math.min(Number(match[2] ?? match[1]), completions - 1);
    for (let index = Number(match[1]); index <= end; index++) indexes.add(index);
  }
  return indexes;
}

/** Three or more in a row become a range. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length;) {
    const first = sorted[at] as number;
    let length = 1;
    while (sorted[at + length] === first + length) length++;
    if (length > 2) parts.push(`${first}-${first + length - 1}`);
    else for (let i = 0; i < length; i++) parts.push(String(first + i));
    at += length;
  }
  return parts.join(",");
}

export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[completionIndexKey] ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** The lowest indexes that are neither done nor taken. */
export function pendingIndexes(
  count: number,
  completions: number,
  done: ReadonlySet<number>,
  taken: ReadonlySet<number>,
): readonly number[] {
  const found: number[] = [];
  for (let index = 0; index < completions && found.length < count; index++) if (!done.has(index) && !taken.has(index)) found.push(index);
  return found;
}

export const jobNameOf = ({ metadata }: Pod): string | undefined => metadata.labels?.[jobLabels.name];
