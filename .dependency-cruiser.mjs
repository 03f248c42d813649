/**
 * Imports go one way: spec, kit ← rooms ← run ← harness ← holdpoint, index ← server, cli.
 *
 * A folder of packages/holdpoint/src that is not named here is a room, and rooms never import rooms. Type-only
 * imports count like any other, except where a rule says otherwise. Tests are free; nothing imports a test.
 */
const src = "^packages/holdpoint/src/";
const test = "\\.test\\.tsx?$";
const notRooms = "spec|kit|run|harness|adapters|server|cli|testing";
/** Captures the room as $1. */
const room = `${src}(?!(?:${notRooms})/)([^/]+)/`;
/** Captures the kind of adapter as $1 and the adapter, be it a file or a folder, as $2. */
const adapter = `${src}adapters/([^/]+)/([^/.]+)`;
/** The snapshots and slices of one guest, whatever it runs in: shared by the sandboxes that run it. */
const guestImage = `${src}adapters/sandboxes/guest-image/`;
/** A folder that no path leaves: shared by the tools that open files. */
const rootedFiles = `${src}adapters/tools/rooted/`;
/** Code of others inside the core, each in one place: small, without dependencies, and loaded when it is first used. */
const parser = "^node_modules/acorn/";
const validator = "^node_modules/@cfworker/json-schema/";
const thirdParty = ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-bundled", "npm-no-pkg", "npm-unknown"];

const rules = {
	"no-cycles": {
		comment: "No cycles, not even through types.",
		from: {},
		to: { circular: true },
	},
	resolvable: {
		comment: "An import that resolves to nothing hides from every other rule.",
		from: {},
		to: { couldNotResolve: true },
	},
	"no-test-imports": {
		comment: "Nothing imports a test.",
		from: { pathNot: test },
		to: { path: test },
	},

	"spec-alone": {
		comment: "spec/ is the vocabulary: it imports nothing but itself.",
		from: { path: `${src}spec/`, pathNot: test },
		to: { path: src, pathNot: `${src}spec/` },
	},
	"kit-low": {
		comment: "kit/ has no word of the domain: it imports itself and spec/.",
		from: { path: `${src}kit/`, pathNot: test },
		to: { path: src, pathNot: `${src}(spec|kit)/` },
	},
	"rooms-apart": {
		comment: "Rooms never import rooms, nor anything above them; they meet in run/ and harness/.",
		from: { path: room, pathNot: test },
		to: { path: src, pathNot: `${src}(spec|kit|$1)/` },
	},
	"verifier-alone": {
		comment:
			"A stranger verifies an audit log: the verifier is its own files and Node's cryptography, nothing of the harness.",
		from: { path: `${src}audit/verifier/`, pathNot: test },
		to: { pathNot: [`${src}audit/verifier/`, "^(node:)?crypto$"] },
	},
	"run-over-rooms": {
		comment: "run/ is composed of rooms and knows nothing above itself.",
		from: { path: `${src}run/`, pathNot: test },
		to: { path: `${src}(harness/|adapters/|server/|cli/|testing/|[^/]+\\.ts$)` },
	},
	"harness-over-run": {
		comment: "harness/ is composed of rooms and run/.",
		from: { path: `${src}harness/`, pathNot: test },
		to: { path: `${src}(adapters/|server/|cli/|testing/|[^/]+\\.ts$)` },
	},
	"adapters-apart": {
		comment:
			"An adapter sees spec/ and kit/ and its own files, so that moving it out is a move of its files. Sandboxes that run the same guest share its image.",
		from: { path: adapter, pathNot: [test, `${src}adapters/tools/`] },
		to: { path: src, pathNot: [`${src}(spec|kit)/`, `${src}adapters/$1/$2(/|\\.|$)`, guestImage] },
	},
	"tools-as-a-user-would": {
		comment:
			"A tool that comes with Holdpoint is made as a user's own would be: with tools/, and with policy/ where it brings rules. Nothing else of the harness is in its reach.",
		from: { path: `${src}adapters/tools/([^/]+)/`, pathNot: test },
		to: { path: src, pathNot: [`${src}(spec|kit|tools|policy)/`, `${src}adapters/tools/$1/`, rootedFiles] },
	},
	"guest-image-for-sandboxes": {
		comment: "What the sandboxes share of their guest is nothing to other adapters.",
		from: { path: `${src}adapters/`, pathNot: [test, `${src}adapters/sandboxes/`] },
		to: { path: guestImage },
	},
	"front-door": {
		comment: "The composition root knows no doors and no fakes.",
		from: { path: `${src}[^/]+\\.ts$`, pathNot: test },
		to: { path: `${src}(server|cli|testing)/` },
	},
	"testing-below-doors": {
		comment: "testing/ may use everything but the doors.",
		from: { path: `${src}testing/`, pathNot: test },
		to: { path: `${src}(server|cli)/` },
	},
	"server-below-cli": {
		comment: "The server is a door of its own.",
		from: { path: `${src}server/`, pathNot: test },
		to: { path: `${src}(cli|testing)/` },
	},

	"pure-part": {
		comment: "What decides is pure: nothing of Node in spec/, run/state.ts and run/next.ts.",
		from: { path: [`${src}spec/`, `${src}run/(state|next)\\.ts$`], pathNot: test },
		to: { dependencyTypes: ["core"] },
	},
	"third-party-at-the-edge": {
		comment: "Code of others enters through adapters and doors; inside there is room for its types alone.",
		from: { path: src, pathNot: [test, `${src}(adapters|server|cli|testing)/`] },
		to: { dependencyTypes: thirdParty, dependencyTypesNot: ["type-only"], pathNot: [parser, validator] },
	},
	"parser-in-sandbox": {
		comment: "Programs are examined in sandbox/; nobody else parses.",
		from: { path: src, pathNot: [test, `${src}sandbox/`] },
		to: { path: parser, dependencyTypesNot: ["type-only"] },
	},
	"validator-in-kit": {
		comment: "JSON Schema is validated in one file.",
		from: { path: src, pathNot: [test, `${src}kit/json-schema-validator\\.ts$`] },
		to: { path: validator, dependencyTypesNot: ["type-only"] },
	},
	declared: {
		comment: "What is imported is a dependency or a peer of the published package; the CLI bundles what it needs.",
		from: { path: src, pathNot: [test, `${src}cli/`] },
		to: {
			dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
			dependencyTypesNot: ["type-only", "npm-peer", "npm"],
		},
	},
	"console-types-only": {
		comment: "The console talks HTTP; it imports types and no code.",
		from: { path: "^packages/console/", pathNot: test },
		to: { path: "^packages/holdpoint/", dependencyTypesNot: ["type-only"] },
	},
};

export default {
	forbidden: Object.entries(rules).map(([name, rule]) => ({ name, severity: "error", ...rule })),
	options: {
		tsPreCompilationDeps: true,
		tsConfig: { fileName: "tsconfig.json" },
		doNotFollow: { path: "node_modules" },
		// Our own builds; a package whose code lies in its dist must stay visible.
		exclude: { path: "^(packages/[^/]+/dist|\\.cache)/" },
		enhancedResolveOptions: {
			exportsFields: ["exports"],
			conditionNames: ["@holdpoint/source", "import", "node", "types", "default"],
			extensions: [".ts", ".tsx", ".mjs", ".js", ".d.ts"],
		},
	},
};
