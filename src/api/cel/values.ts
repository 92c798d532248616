import { counted, type Budget } from "./budget.ts";

/** JSON as CEL sees it where no schema says more: whole numbers are `int`. */
export function celValue(value: unknown, budget: Budget): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  const inner = (child: unknown) => celValue(child, budget);
  if (Array.isArray(value)) return counted(value.map(inner), budget);
  if (typeof value !== "object" || value === null) return value;
  return counted(Object.fromEntries(Object.entries(value).map(([key, child]) => [key, inner(child)])), budget);
}
