/** `mounttest`: what a mounted path is: its filesystem, mode, owner and content; and files written there with a mode. */
import { promises as files } from "node:fs";
import { readFlags, type Flags } from "./flags.ts";

const newContent = "mount-tester new file\n";
const tmpfs = 0x01021994;
const newFiles = ["0644", "0666", "0660", "0777"];

/** In this order: a new file is there before its content is read. Ends with 1 when any of it failed. */
export async function mounttest(words: readonly string[]): Promise<void> {
  const flags = readFlags(words, {
    ...{ fs_type: "", file_mode: "", file_perm: "", file_owner: "", file_content: "", file_content_in_loop: "" },
    ...Object.fromEntries(newFiles.map((mode) => [`new_file_${mode}`, ""])),
    ...{ retry_time: "180", break_on_expected_content: true },
  });
  process.umask(0);
  let failed = false;
  const each = async (flag: string, what: string, look: (path: string) => Promise<void>) => {
    const path = flags.text(flag);
    if (path === "") return;
    try {
      await look(path);
    } catch (error) {
      failed = true;
      console.log(`error ${what}(${JSON.stringify(path)}): ${(error as Error).message}`);
    }
  };
  await each("fs_type", "from statfs", async (path) => {
    const { type } = await files.statfs(path);
    console.log(`mount type of ${JSON.stringify(path)}: ${type === tmpfs ? "tmpfs" : type}`);
  });
  for (const mode of newFiles)
    await each(`new_file_${mode}`, "writing new file ", async (path) => {
      await files.writeFile(path, newContent, { mode: Number.parseInt(mode, 8) });
      await printContent(path);
    });
  await each("file_mode", "from Stat", async (path) =>
    console.log(`mode of file ${JSON.stringify(path)}: ${modeText((await files.stat(path)).mode)}`),
  );
  await each("file_perm", "from Stat", async (path) =>
    console.log(`perms of file ${JSON.stringify(path)}: ${modeText((await files.stat(path)).mode & 0o777)}`),
  );
  await each("file_owner", "from stat", async (path) => {
    const { uid, gid } = await files.stat(path);
    console.log(`owner UID of ${JSON.stringify(path)}: ${uid}\nowner GID of ${JSON.stringify(path)}: ${gid}`);
  });
  await each("file_content", "reading file content for ", async (path) => void (await printContent(path)));
  await each("file_content_in_loop", "reading file ", (path) => printInLoop(path, flags));
  process.exit(failed ? 1 : 0);
}

async function printContent(path: string): Promise<string> {
  const content = await files.readFile(path, "utf8");
  console.log(`content of file ${JSON.stringify(path)}: ${content}`);
  return content;
}

async function printInLoop(path: string, flags: Flags): Promise<void> {
  const end = Date.now() + flags.number("retry_time") * 1000;
  let fault: unknown;
  while (Date.now() < end) {
    try {
      fault = undefined;
      if ((await printContent(path)) === newContent && flags.flag("break_on_expected_content")) return;
    } catch (error) {
      fault = error;
      console.log(`Error reading file ${path}: ${(error as Error).message}, retrying`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  if (fault !== undefined) throw fault;
}

/** As Go prints a file's mode: `-rw-r--r--`, `dtrwxrwxrwx`. */
export function modeText(mode: number): string {
  const kinds: Readonly<Record<number, string>> = { 0o040000: "d", 0o120000: "L", 0o010000: "p", 0o140000: "S" };
  const special = [[0o4000, "u"] as const, [0o2000, "g"] as const, [0o1000, "t"] as const].flatMap(([bit, letter]) =>
    (mode & bit) === 0 ? [] : letter,
  );
  const letters = (kinds[mode & 0o170000] ?? "") + special.join("");
  const permissions = [...(mode & 0o777).toString(2).padStart(9, "0")].map((bit, index) => (bit === "1" ? "rwx"[index % 3] : "-"));
  return `${letters === "" ? "-" : letters}${permissions.join("")}`;
}
