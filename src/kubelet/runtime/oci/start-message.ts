/** What crun and runc write into their logs, in runc's words, which are those that people look for. Pure. */

/** `log`: all of the file. The last error counts. */
export function startMessage(log: string): string {
  const line =
    log
      .trim()
      .split("\n")
      .map(textOfLine)
      .findLast((text) => text !== "") ?? "the OCI runtime ended without a word";
  const message = line.replace(/^(?:runc (?:run|exec) failed|exec failed): /, "");
  const inRuncsWords = ofCrun(message);
  return inRuncsWords.startsWith("unable to start container process") ? inRuncsWords : `unable to start container process: ${inRuncsWords}`;
}

/** runc's lines are of logfmt, crun's are plain, with a time before them in newer versions. */
function textOfLine(line: string): string {
  if (/\blevel=warning\b/.test(line)) return "";
  const quoted = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, "$1");
  return line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z?:? /, "");
}

function ofCrun(message: string): string {
  const absent = /^executable file `(.*)` not found in \$PATH/.exec(message)?.[1];
  if (absent !== undefined)
    return `exec: ${JSON.stringify(absent)}: ${absent.includes("/") ? `stat ${absent}: no such file or directory` : "executable file not found in $PATH"}`;
  return message === "open executable: Permission denied" ? "exec: permission denied" : message;
}
