import { describe, expect, test } from "vitest";
import { assetAt, formOf, type Asset } from "./assets.ts";

describe("files", () => {
  const file = (forms: readonly string[], type = "text/javascript"): Asset => ({
    type,
    immutable: false,
    forms: new Map(forms.map((coding) => [coding, Buffer.from(coding)])),
  });

  test.for([
    ["gzip, deflate, br, zstd", "br"],
    ["gzip", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["br;q=0.0, gzip;q=0", "identity"],
    ["br;q=0.5", "br"],
    ["brotli", "identity"],
    [undefined, "identity"],
  ] as const)("accept-encoding %s gets %s", ([accept, coding]) => {
    expect(formOf(file(["identity", "br", "gzip"]), accept).coding).toBe(coding);
  });

  test("views of the page lead to the page; a file that is not there does not", () => {
    const [page, script] = [file(["identity"], "text/html"), file(["identity"])];
    const assets = new Map([
      ["/", page],
      ["/assets/a.js", script],
    ]);
    expect(assetAt(assets, "/assets/a.js")).toBe(script);
    expect(assetAt(assets, "/services/shop/web")).toBe(page);
    expect(assetAt(assets, "/assets/b.js")).toBeUndefined();
    expect(assetAt(assets, "/../../etc/passwd.txt")).toBeUndefined();
  });
});
