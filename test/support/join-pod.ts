/** Run as whoever joins: starts a program in the surroundings of a process and ends with its exit code. `OWNER TARGET PROGRAM ARGS…` */
import { startJoined } from "../../src/host/join.ts";

const [ownerPid = "", pid = "", program = "", ...args] = process.argv.slice(2);
const surroundings = { pid: Number(pid), ownerPid: Number(ownerPid) };
const child = startJoined({ program, args, env: { ...process.env, JOINED: "yes" }, directory: process.cwd(), surroundings });
process.on("SIGTERM", () => child.signal("SIGTERM"));
process.on("SIGINT", () => {});
process.exitCode = await child.exited;
