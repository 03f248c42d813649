import { join } from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { serveRows, timed } from "../../subject.ts";
import { check, priceOf } from "../../work.ts";

const here = import.meta.dirname;
/** Given by whoever starts this; the state of the object store lies there, too. */
const folder = process.argv[2] ?? join(here, "node_modules/.bench");
const scriptPath = join(folder, "worker.js");

await build({
	entryPoints: [join(here, "worker.mjs")],
	bundle: true,
	format: "esm",
	outfile: scriptPath,
	external: ["cloudflare:*", "node:*", "ai", "zod", "@modelcontextprotocol/*"],
	platform: "neutral",
	mainFields: ["module", "main"],
	conditions: ["workerd", "worker", "import"],
	logLevel: "error",
});

const miniflare = new Miniflare({
	modules: true,
	modulesRoot: folder,
	scriptPath,
	compatibilityDate: "2026-04-01",
	compatibilityFlags: ["nodejs_compat"],
	durableObjects: { Host: { className: "Host", useSQLite: true } },
	workerLoaders: { LOADER: {} },
	durableObjectsPersist: join(folder, "state"),
});

async function post(path, body) {
	const response = await miniflare.dispatchFetch(`http://bench${path}`, { method: "POST", body: JSON.stringify(body) });
	return response.json();
}

const sum = (calls) => `let s = 0; for (let i = 0; i < ${calls}; i++) s += (await items.lookup({ id: i })).price;`;

async function runToEnd(code, value) {
	const said = await post("/run", { code: `async () => { ${code} }` });
	check(said.result === value, JSON.stringify(said));
}

async function suspend({ calls = 0 }) {
	const code = `async () => { ${sum(calls)} const paid = await items.pay({ id: 7 }); return s + paid.price; }`;
	const said = await post("/run", { code });
	check(said.status === "paused", JSON.stringify(said));
	return said.executionId;
}

const rows = {
	empty: timed({ run: () => runToEnd("return 1;", 1) }),
	sequential: timed({ run: (_, { calls }) => runToEnd(`${sum(calls)} return s;`, priceOf(calls)) }),
	suspend: timed({
		async run(_, args) {
			await suspend(args);
		},
	}),
	resume: timed({
		prepare: suspend,
		async run(id) {
			const said = await post("/approve", { id });
			check(said.status === "completed", JSON.stringify(said));
		},
	}),
};

await serveRows(rows, () => miniflare.dispose());
