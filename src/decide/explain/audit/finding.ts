/** One thing that an audit has found. */
import { explainCodes, type ExplainCode } from "../codes.ts";
import type { ObjectRef } from "../snapshot.ts";
import type { Outcome } from "../walk.ts";
import { auditRules, type AuditRule, type Level } from "./rules.ts";

export interface Finding {
  readonly rule: AuditRule | ExplainCode;
  readonly level: Level;
  readonly ref: ObjectRef;
  /** `spec.selector`; "": the object. */
  readonly field: string;
  readonly text: string;
  /** What to change, the best first. */
  readonly changes: readonly string[];
}

export function finding(rule: AuditRule, ref: ObjectRef, field: string, text: string, changes: readonly string[] = []): Finding {
  return { rule, level: auditRules[rule].level, ref, field, text, changes };
}

/** A cause of `explain` as a finding. What most likely is so, and what follows from a deliberate 0, is a warning. */
export function causeFinding({ code, text, certainty, proposals = [] }: Outcome, ref: ObjectRef): Finding {
  const level: Level = certainty === "likely" || code === "ScaledToZero" ? "warning" : "error";
  const field = proposals.find(({ edit }) => edit?.ref.name === ref.name)?.edit?.field ?? "";
  return { rule: code, level, ref, field, text, changes: proposals.map((proposal) => proposal.text) };
}

export function ruleMeaning(rule: Finding["rule"]): string {
  return rule in auditRules ? auditRules[rule as AuditRule].meaning : explainCodes[rule as ExplainCode].meaning;
}
