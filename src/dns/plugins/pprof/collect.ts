/** Takes profiles of this process by the inspector that it carries. */
import { Session, type HeapProfiler, type Profiler } from "node:inspector/promises";
import { sleep, type Clock } from "../../../lib/clock.ts";
import type { Profile, ProfileFrame, ProfileSample } from "./profile.ts";

const frameOf = ({
  functionName,
  url,
  lineNumber,
}: {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}): ProfileFrame => ({
  name: functionName,
  file: url,
  line: lineNumber + 1,
});

export async function cpuProfile(seconds: number, clock: Clock): Promise<Profile> {
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    const began = clock.now();
    await sleep(clock, seconds * 1000);
    const { profile } = await session.post("Profiler.stop");
    return fromCpu(profile, began);
  } finally {
    session.disconnect();
  }
}

function fromCpu({ nodes, samples = [], timeDeltas = [], startTime, endTime }: Profiler.Profile, began: number): Profile {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child): [number, number] => [child, node.id])));
  const totals = new Map<number, [count: number, micros: number]>();
  samples.forEach((id, i) => {
    const total = totals.get(id) ?? [0, 0];
    total[0]++;
    total[1] += Math.max(0, timeDeltas[i] ?? 0);
    totals.set(id, total);
  });
  const stackOf = (id: number): ProfileFrame[] => {
    const stack: ProfileFrame[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = byId.get(at);
      if (node !== undefined && node.callFrame.functionName !== "(root)") stack.push(frameOf(node.callFrame));
    }
    return stack;
  };
  // A thread that waits takes no time of a processor.
  for (const { id, callFrame } of nodes) if (callFrame.functionName === "(idle)") totals.delete(id);
  const list = [...totals].map(([id, [count, micros]]): ProfileSample => ({ stack: stackOf(id), values: [count, micros * 1000] }));
  const durationNanos = (endTime - startTime) * 1000;
  const types = [
    { type: "samples", unit: "count" },
    { type: "cpu", unit: "nanoseconds" },
  ];
  return { types, samples: list, period: durationNanos / Math.max(1, samples.length), timeNanos: began * 1e6, durationNanos };
}

/** What was allocated while it looked and is still there. */
export async function heapProfile(seconds: number, clock: Clock): Promise<Profile> {
  const session = new Session();
  session.connect();
  try {
    await session.post("HeapProfiler.enable");
    await session.post("HeapProfiler.startSampling", { samplingInterval: 32_768 });
    const began = clock.now();
    await sleep(clock, seconds * 1000);
    const { profile } = await session.post("HeapProfiler.stopSampling");
    const samples: ProfileSample[] = [];
    walkHeap(profile.head, [], samples);
    return {
      types: [{ type: "inuse_space", unit: "bytes" }],
      samples,
      period: 32_768,
      timeNanos: began * 1e6,
      durationNanos: seconds * 1e9,
    };
  } finally {
    session.disconnect();
  }
}

function walkHeap(node: HeapProfiler.SamplingHeapProfileNode, above: readonly ProfileFrame[], out: ProfileSample[]): void {
  const stack = node.callFrame.functionName === "(root)" ? above : [frameOf(node.callFrame), ...above];
  if (node.selfSize > 0 && stack.length > 0) out.push({ stack, values: [node.selfSize] });
  for (const child of node.children) walkHeap(child, stack, out);
}
