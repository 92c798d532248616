/**
 * The one error class and its table of codes. A code is stable; `docs/errors.md` lists the table and a test holds the
 * two together. What a caller expects to happen is a value, not an exception: this class is for what a person must read.
 */

/** code → what it means, in a few words. */
export const errorTable = {
  FL_USAGE: "the command line is wrong",
  FL_CONFIG: "a configuration file or option is wrong",
  FL_MANIFEST: "a manifest cannot be read",
  FL_COREFILE: "a Corefile cannot be read",
  FL_KUBECONFIG: "a kubeconfig cannot be read or used",
  FL_STORAGE: "the data directory cannot be used",
  FL_STORAGE_LOCKED: "another process uses the data directory",
  FL_STORAGE_SCHEMA: "the data directory was written by another version",
  FL_SNAPSHOT: "a snapshot cannot be used",
  FL_LISTEN: "an address cannot be bound",
  FL_CONNECT: "a server cannot be reached",
  FL_RUNTIME: "a pod's process cannot be run",
  FL_UNSUPPORTED: "this is not supported here",
  FL_NOT_RUNNING: "no such cluster is running",
  FL_ALREADY_RUNNING: "the cluster is already running",
  FL_TIMEOUT: "something took too long",
  FL_INTERNAL: "a fault of Fairlead itself",
} as const satisfies Readonly<Record<string, string>>;

export type ErrorCode = keyof typeof errorTable;

export interface FairleadErrorOptions {
  readonly cause?: unknown;
  /** What the person can do next, as one sentence. */
  readonly hint?: string;
}

/** `message` says what is wrong and where; `hint` what to do next. */
export class FairleadError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: FairleadErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "FairleadError";
    this.code = code;
    this.hint = options.hint;
  }
}

/** The message of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system error code (`EADDRINUSE`), if it has one. */
export function errnoCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
