/**
 * Plays the injection cases and writes `docs/operate/injection.md`. `bench/workloads/injection/injection.test.ts` fails
 * when the page and the results differ. The retail part needs the retail data set; without it that part is kept as it is.
 * Run: node scripts/write-injection.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { demoAsks, retailAsks } from "../bench/workloads/injection/benign.ts";
import { casesText, playAll, retailHeading, retailText } from "../bench/workloads/injection/report.ts";
import { openWorlds } from "../bench/workloads/injection/worlds.ts";
import { wirings } from "../bench/workloads/retail/agent.ts";
import { loadRetail, retailDataDir } from "../bench/workloads/retail/tasks.ts";
import { wasmSandbox } from "../packages/holdpoint/src/adapters/sandboxes/wasm/provider.ts";

const path = fileURLToPath(new URL("../docs/operate/injection.md", import.meta.url));
const stage = { worlds: openWorlds(), sandbox: wasmSandbox({ workersMax: 1 }) };
const demo = { without: await demoAsks(stage, false), labelled: await demoAsks(stage, true) };
const cases = casesText(await playAll(stage), demo);
stage.worlds.close();
await stage.sandbox.close();
writeFileSync(path, `${cases}\n${await retailPart()}`);

async function retailPart(): Promise<string> {
	const folder = retailDataDir();
	if (folder === undefined) {
		const page = readFileSync(path, "utf8");
		return page.slice(page.indexOf(retailHeading));
	}
	const rows = [];
	for (const wiring of wirings) rows.push(await retailAsks(loadRetail(folder), wiring));
	return retailText(rows);
}
