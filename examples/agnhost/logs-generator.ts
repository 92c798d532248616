/** `logs-generator`: so many lines in so much time, each with its number. */
import { readFlags } from "./flags.ts";

const methods = ["GET", "POST", "PUT"];
const namespaces = ["kube-system", "default", "ns"];

export async function generateLogs(words: readonly string[]): Promise<void> {
  const short: Readonly<Record<string, string>> = { "-t": "--log-lines-total", "-d": "--run-duration" };
  const flags = readFlags(
    words.map((word) => short[word] ?? word),
    { "log-lines-total": "0", "run-duration": "0s" },
  );
  const [total, ms] = [flags.number("log-lines-total"), flags.duration("run-duration")];
  if (total <= 0 || ms <= 0) throw new Error("Invalid total number of lines or duration: both must be more than 0");
  for (let id = 0; id < total; id++) {
    const path = `/api/v1/namespaces/${pick(namespaces)}/pods/${Math.random().toString(36).slice(2, 6)}`;
    console.log(`${new Date().toISOString().slice(0, 19)}Z ${id} ${pick(methods)} ${path} ${200 + Math.floor(Math.random() * 400)}`);
    await new Promise((resolve) => setTimeout(resolve, ms / total));
  }
}

function pick(list: readonly string[]): string {
  return list[Math.floor(Math.random() * list.length)] as string;
}
