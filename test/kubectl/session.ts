/** One kubectl against one cluster: runs, counts, and says what went wrong in kubectl's own words. */
import { expect } from "vitest";
import { findKubectls, runKubectl, type Kubectl, type Output } from "../support/kubectl.ts";

/** The oldest that speaks only SPDY, the first that can speak WebSocket, and the newest; with FAIRLEAD_EVERY_KUBECTL all that there are. */
const usual = ["1.28", "1.29", "1.31", "1.32", "1.33"];

export function kubectlsToTest(): readonly Kubectl[] {
  const found = findKubectls();
  return process.env["FAIRLEAD_EVERY_KUBECTL"] === undefined ? found.filter(({ minor }) => usual.includes(minor)) : found;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class Session {
  readonly kubectl: Kubectl;
  readonly kubeconfig: string;
  /** Of the minor version: 33. */
  readonly minor: number;
  /** Every invocation so far. */
  count = 0;

  constructor(kubectl: Kubectl, kubeconfig: string) {
    this.kubectl = kubectl;
    this.kubeconfig = kubeconfig;
    this.minor = Number(kubectl.minor.slice(2));
  }

  /** Words are split at blanks; an argument that holds blanks comes in an array. */
  run(args: string | readonly string[], options: RunOptions = {}): Promise<Output> {
    this.count++;
    const words = typeof args === "string" ? args.split(" ") : args;
    return runKubectl(this.kubectl, words, { kubeconfig: this.kubeconfig, timeout: 120_000, ...options });
  }

  /** Standard output of a run that succeeds. */
  async ok(args: string | readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({ args, code: 0, stderr: "" });
    return stdout;
  }

  /** Standard error of a run that fails. */
  async fails(args: string | readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    expect({ args, failed: code !== 0, stdout: code === 0 ? stdout : "" }).toEqual({ args, failed: true, stdout: "" });
    return stderr;
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into objects of every kind
  async json(args: string | readonly string[]): Promise<any> {
    const words = typeof args === "string" ? args.split(" ") : args;
    return JSON.parse(await this.ok([...words, "-o", "json"]));
  }
}
