import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { guestDigest } from "../guest-image/guest-digest.ts";
import { bootBaseImage } from "./base-image.ts";
import { Module } from "./webassembly.ts";

const wasmFile = createRequire(import.meta.url).resolve("quickjs-wasi/quickjs.wasm");

test("the base image is the one that this version names (a change of engine or prelude changes guest-digest.ts)", () => {
	const bytes = readFileSync(wasmFile);
	expect(bootBaseImage(bytes, new Module(bytes)).digest).toBe(guestDigest);
});

test("two fresh processes, one of them in another time zone, boot to the same bytes", { timeout: 60_000 }, () => {
	const script = `
		import { readFileSync } from "node:fs";
		import { bootBaseImage } from ${JSON.stringify(new URL("./base-image.ts", import.meta.url).href)};
		import { Module } from ${JSON.stringify(new URL("./webassembly.ts", import.meta.url).href)};
		const bytes = readFileSync(${JSON.stringify(wasmFile)});
		console.log(bootBaseImage(bytes, new Module(bytes)).digest);`;
	const boot = (zone: string) =>
		execFileSync(process.execPath, ["--input-type=module", "-e", script], {
			encoding: "utf8",
			env: { TZ: zone, LANG: zone === "UTC" ? "C" : "de_DE.UTF-8" },
		}).trim();
	expect([boot("UTC"), boot("Asia/Tokyo")]).toEqual([guestDigest, guestDigest]);
});
