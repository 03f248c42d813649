import { globSync, readFileSync } from "node:fs";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";
import type { Reporter } from "vitest/node";

// `import "holdpoint"` means the sources in a test, as it does for the type checker.
const conditions = ["@holdpoint/source", ...defaultServerConditions];

/** The JSON report has no place for why a test was skipped, but it carries what is noted on a test. */
const noteSkips: Reporter = {
	onTestCaseResult(testCase) {
		const result = testCase.result();
		if (result.state === "skipped" && result.note !== undefined)
			Object.assign(testCase.meta(), { skipped: result.note });
	},
};

const tests = ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "bench/**/*.test.ts"];

/** Tests whose programs run in every sandbox that there is: those that import testing/sandbox-under-test.ts. */
const programTests = globSync(tests, { cwd: import.meta.dirname }).filter((file) =>
	/from "[^"]*\/testing\/sandbox-under-test\.ts"/.test(readFileSync(`${import.meta.dirname}/${file}`, "utf8")),
);

// `npm test` asks for a report that it can count.
const reportFile = process.env.HOLDPOINT_TEST_REPORT;

export default defineConfig({
	resolve: { conditions },
	ssr: { resolve: { conditions } },
	test: {
		projects: [
			{ extends: true, test: { name: "wasm", include: tests, env: { HOLDPOINT_SANDBOX: "wasm" } } },
			{
				extends: true,
				test: {
					name: "microvm",
					include: programTests,
					env: { HOLDPOINT_SANDBOX: "microvm" },
					setupFiles: ["test/microvm-pass.ts"],
				},
			},
		],
		exclude: ["**/node_modules/**", "**/dist/**", "bench/peers/**"],
		// A process each: tests open SQLite files, start workers and kill what they started.
		pool: "forks",
		maxWorkers: 2,
		testTimeout: 30_000,
		hookTimeout: 30_000,
		passWithNoTests: false,
		allowOnly: false,
		reporters: reportFile ? ["default", noteSkips, ["json", { outputFile: reportFile }]] : ["default"],
	},
});
