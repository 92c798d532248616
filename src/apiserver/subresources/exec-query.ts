/** `PodExecOptions`, as they come in the query of `pods/exec`. */
import { required, type FieldError } from "../../api/field-error.ts";
import type { ExecOptions } from "../../api/node-agent.ts";
import { invalidError } from "../../api/status.ts";
import { isTrue } from "../request-info.ts";

/** Throws 422. A terminal has one output: standard error comes in it. */
export function execQuery(query: URLSearchParams, pod: string): ExecOptions {
  const flag = (name: string) => isTrue(query.get(name));
  const tty = flag("tty");
  const options: ExecOptions = {
    container: query.get("container") ?? "",
    command: query.getAll("command"),
    stdin: flag("stdin"),
    stdout: flag("stdout"),
    stderr: flag("stderr") && !tty,
    tty,
  };
  const errors: FieldError[] = [];
  if (options.command.length === 0) errors.push(required("command"));
  if (!options.stdin && !options.stdout && !options.stderr)
    errors.push(required("", "you must specify at least one of stdin, stdout, stderr"));
  if (errors.length > 0) throw invalidError({ group: "", plural: "podexecoptions", kind: "PodExecOptions" }, pod, errors);
  return options;
}
