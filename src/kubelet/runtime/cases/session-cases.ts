/** Sessions: exec, attach and terminals. */
import assert from "node:assert/strict";
import { exec, execOptions, listen, shell, start, waits, type RuntimeCase } from "./rig.ts";

export const sessionCases: readonly RuntimeCase[] = [
  {
    name: "exec: output, code, input, a command that is not there, and none after the end",
    async run(rig) {
      const started = await start(rig, waits);
      assert.deepEqual(await exec(started, ["sh", "-c", "echo hi; exit 5"]), { status: { kind: "exited", code: 5 }, output: "hi\n" });
      assert.equal((await exec(started, ["cat"], { stdin: true }, "a\nb\n")).output, "a\nb\n");
      const absent = await exec(started, ["no-such-program"]);
      assert.match(absent.status.kind === "failed" ? absent.status.message : "", /executable file not found/);
      await started.remove();
      assert.equal((await exec(started, ["true"])).status.kind, "failed");
    },
  },
  {
    name: "exec in a terminal, with its size",
    async run(rig) {
      const started = await start(rig, waits);
      const session = await started.running.exec(
        execOptions(["sh", "-c", "read a; stty size; test -t 1 && echo terminal $a"], { tty: true, stdin: true }),
      );
      const output = listen(session);
      session.resize(101, 41);
      await session.write(Buffer.from("yes\n"));
      assert.deepEqual(await session.done, { kind: "exited", code: 0 });
      assert.match(output(), /41 101\r\nterminal yes\r\n/);
      await started.remove();
    },
  },
  {
    name: "attach: output and input of the main process; without stdin it is refused",
    async run(rig) {
      const echo = await start(rig, { ...shell("while read line; do echo got $line; done; exit 4"), stdin: true, stdinOnce: true });
      const session = await echo.running.attach(execOptions([], { stdin: true }));
      const output = listen(session);
      await session.write(Buffer.from("one\ntwo\n"));
      session.closeStdin();
      assert.deepEqual(await session.done, { kind: "exited", code: 4 });
      assert.equal(output(), "got one\ngot two\n");
      assert.equal(echo.output(), output());
      await echo.remove();
      const plain = await start(rig, waits);
      const refused = await (await plain.running.attach(execOptions([], { stdin: true }))).done;
      assert.match(refused.kind === "failed" ? refused.message : "", /has no standard input/);
      await plain.remove();
    },
  },
  {
    name: "a main process in a terminal",
    async run(rig) {
      const started = await start(rig, { ...shell("read x; test -t 0 && echo terminal $x"), stdin: true, tty: true });
      const session = await started.running.attach(execOptions([], { stdin: true, tty: true }));
      const output = listen(session);
      await session.write(Buffer.from("yes\n"));
      assert.deepEqual(await session.done, { kind: "exited", code: 0 });
      assert.match(output(), /terminal yes/);
      await started.remove();
    },
  },
];
