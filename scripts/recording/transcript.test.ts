import { expect, test } from "vitest";
import { transcript } from "./transcript.ts";

const text = (data: string) => transcript([{ at: 1, data }]).map(({ spans }) => spans.map((span) => span.text).join(""));

test.each([
  ["lines", "a\r\nb\n", ["a", "b"]],
  ["a line written over", "Waiting\r\u001b[KDone\n", ["Done"]],
  ["a shorter text over a longer one", "abcdef\rxy\n", ["xycdef"]],
  ["no newline at the end", "$ ls", ["$ ls"]],
  ["other sequences are skipped", "\u001b[?25lx\u001b[2Ay\n", ["xy"]],
])("%s", (_, data, wanted) => {
  expect(text(data)).toEqual(wanted);
});

test("styles begin and end", () => {
  const [line] = transcript([{ at: 2, data: "\u001b[1;32mok\u001b[39m!\u001b[0m.\n" }]);
  expect(line).toEqual({
    at: 2,
    spans: [
      { text: "ok", styles: [1, 32] },
      { text: "!", styles: [1] },
      { text: ".", styles: [] },
    ],
  });
});
