/** `PodExecOptions` and `PodAttachOptions`, as they come in the query of `pods/exec` and `pods/attach`. */
import { required, type FieldError } from "../../api/field-error.ts";
import type { AttachOptions, ExecOptions } from "../../api/node-agent.ts";
import { invalidError } from "../../api/status.ts";
import { isTrue } from "../request-info.ts";

/** Throws 422. */
export function execQuery(query: URLSearchParams, pod: string): ExecOptions {
  const options: ExecOptions = { ...streamsOf(query), command: query.getAll("command") };
  check("PodExecOptions", pod, [...(options.command.length === 0 ? [required("command")] : []), ...streamErrors(options)]);
  return options;
}

/** Throws 422. */
export function attachQuery(query: URLSearchParams, pod: string): AttachOptions {
  const options = streamsOf(query);
  check("PodAttachOptions", pod, streamErrors(options));
  return options;
}

/** A terminal has one output: standard error comes in it. */
function streamsOf(query: URLSearchParams): AttachOptions {
  const flag = (name: string) => isTrue(query.get(name));
  const tty = flag("tty");
  return {
    container: query.get("container") ?? "",
    stdin: flag("stdin"),
    stdout: flag("stdout"),
    stderr: flag("stderr") && !tty,
    tty,
  };
}

function streamErrors({ stdin, stdout, stderr }: AttachOptions): FieldError[] {
  return stdin || stdout || stderr ? [] : [required("", "you must specify at least one of stdin, stdout, stderr")];
}

function check(kind: string, pod: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidError({ group: "", plural: kind.toLowerCase(), kind }, pod, errors);
}
