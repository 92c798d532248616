/** Whether a command prints what a chapter shows. What differs from run to run is made the same on both sides. Pure. */

/** Pods' addresses, names that end in random letters, ages, ports of the kernel's choice, process numbers, and how wide columns are. */
const varying: readonly (readonly [RegExp, string])[] = [
  [/\b10\.244\.\d+\.\d+\b/g, "10.244.0.0"],
  [/\b10-244-\d+-\d+\b/g, "10-244-0-0"],
  [/\b127\.\d+\.\d+\.\d+\b/g, "127.0.0.0"],
  [/\b(web|web-v2)-[0-9a-f]{8,10}-[a-z0-9]{5}\b/g, "$1-HASH"],
  [/\b(web|db|web-public|web-lb|legacy|old-db|broken)-[a-z0-9]{5}\b(?!-)/g, "$1-HASH"],
  [/\bKUBE-SEP-[A-Z2-7]{16}\b/g, "KUBE-SEP-HASH"],
  // Where pods were scheduled to, and the order in which rules were made.
  [/\bnode-[12](?! -o)\b/g, "node-N"],
  [/ \(this node\)/g, ""],
  [/\b0x0400000\d\b/g, "0x04000000"],
  [/\b10\.(9[6-9]|10\d|11[01])\.\d+\.\d+\b(?<!10\.96\.80\.80)/g, "10.96.0.0"],
  [/\b\d+(\.\d+)?(ms|s|m)\b/g, "TIME"],
  [/\bafter \d+ ms/g, "after TIME"],
  [/\bTIMETIME\b/g, "TIME"],
  [/\d+\.\d\d s\b/g, "TIME"],
  [/\bpid \d+/g, "pid N"],
  [/ +/g, " "],
  [/ $/gm, ""],
];

export function settled(text: string): string {
  return varying.reduce((result, [pattern, name]) => result.replace(pattern, name), text);
}

/** `…` in a line of `wanted` stands for anything, and alone in a line for any number of lines. */
export function shows(wanted: string, got: string): boolean {
  const lines = settled(wanted)
    .split("\n")
    .map((line) => (line.trim() === "…" ? "(?:.*\\n)*?" : `${line.split("…").map(RegExp.escape).join(".*")}\\n`));
  return new RegExp(`^${lines.join("")}$`).test(`${settled(got)}\n`);
}
