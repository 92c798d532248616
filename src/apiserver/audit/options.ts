/** An audit as it is asked for on a command line: a policy in a file, lines into another. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { Component } from "../../component/component.ts";
import type { Clock } from "../../lib/clock.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { AuditOptions } from "./auditor.ts";
import { createFileLog } from "./file-log.ts";
import { readAuditPolicy } from "./policy.ts";

export interface AuditFiles {
  /** YAML or JSON: a Policy of audit.k8s.io/v1. */
  readonly policyFile: string;
  /** Where lines are appended. */
  readonly logPath: string;
}

export interface FileAudit extends AuditOptions {
  /** Its stop waits for the last line. */
  readonly component: Component;
}

/** Throws FL_CONFIG for a policy that cannot be read or used. */
export function fileAudit({ policyFile, logPath }: AuditFiles, clock: Pick<Clock, "now">, log: Logger): FileAudit {
  const policy = readAuditPolicy(readYaml(policyFile));
  const file = createFileLog({ path: logPath, clock, log });
  const component: Component = {
    name: "audit-log",
    start: async () => {},
    stop: () => file.close(),
    ready: () => ({ ready: true }),
  };
  return { policy, write: file.write, component };
}

function readYaml(path: string): unknown {
  try {
    return parse(readFileSync(path, "utf8")) as unknown;
  } catch (error) {
    throw new FairleadError("FL_CONFIG", `the audit policy ${path} cannot be read: ${errorMessage(error)}`);
  }
}
