/** Which trace a request belongs to (W3C Trace Context, level 1): what comes is believed in its form only, and goes on with a span of ours. */

export interface TraceSpan {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits; ours. */
  readonly spanId: string;
  /** Whoever asked. */
  readonly parentId?: string;
  /** Whether anybody keeps it. */
  readonly sampled: boolean;
}

export interface Tracing {
  /** Of requests that belong to no trace yet: this part begins one that is kept. From 0 to 1. */
  readonly ratio: number;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** `id`: so many random bytes in hexadecimal. `random`: in [0, 1). */
export function spanFor(
  header: string | undefined,
  { ratio }: Tracing,
  { id, random }: { readonly id: (bytes: number) => string; readonly random: () => number },
): TraceSpan {
  const [whole, version, traceId = "", parentId = "", flags = "00"] = pattern.exec(header ?? "") ?? [];
  // Version 255 is none, version 0 has nothing behind its flags, and zeros stand for nothing (3.2.2).
  const valid =
    version !== undefined &&
    version !== "ff" &&
    (version !== "00" || whole?.length === 55) &&
    !/^0+$/.test(traceId) &&
    !/^0+$/.test(parentId);
  if (!valid) return { traceId: id(16), spanId: id(8), sampled: random() < ratio };
  return { traceId, spanId: id(8), parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function traceparent({ traceId, spanId, sampled }: TraceSpan): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}
