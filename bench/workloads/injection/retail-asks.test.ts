import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { wirings } from "../retail/agent.ts";
import { loadRetail, retailDataDir, retailDataName } from "../retail/tasks.ts";
import { missingDataReason } from "../shared-data.ts";
import { retailAsks } from "./benign.ts";
import { retailHeading, retailText } from "./report.ts";

const page = readFileSync(new URL("../../../docs/operate/injection.md", import.meta.url), "utf8");

describe("the whole retail workload", { timeout: 240_000 }, () => {
	const dataDir = retailDataDir();
	beforeEach(({ skip }) => skip(!dataDir, missingDataReason(retailDataName)));

	test("asks nobody because of labels, and docs/operate/injection.md says so (else: node scripts/write-injection.ts)", async () => {
		const workload = loadRetail(dataDir ?? "");
		const rows = [];
		for (const wiring of wirings) rows.push(await retailAsks(workload, wiring));
		for (const row of rows) expect(row).toMatchObject({ tasks: 114, equal: 114, asks: 0 });
		expect(page.slice(page.indexOf(retailHeading))).toBe(retailText(rows));
	});
});
