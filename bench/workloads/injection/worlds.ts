import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeSqlite } from "../../../packages/holdpoint/src/adapters/stores/sqlite/sql-engine.ts";
import { shopPath } from "../../../packages/holdpoint/src/cli/demo/shop-config.ts";
import { makeShop } from "../../../packages/holdpoint/src/cli/demo/shop-database.ts";
import { shopTools } from "../../../packages/holdpoint/src/cli/demo/shop-tools.ts";
import type { Tool } from "../../../packages/holdpoint/src/spec/tool.ts";
import { parameterSchema } from "../arguments.ts";
import { retailTools as deskTools } from "../retail/agent.ts";
import { smallShop } from "../retail/small-shop.ts";
import { retailTools } from "../retail/tools.ts";
import { memoryRetailWorld } from "../retail/world.ts";
import { Strangers, strangersTools } from "./strangers.ts";

/* What the cases act on: the demo's shop and the retail desk, each beside the same strangers. */

export type DeskName = "shop" | "retail";

/** One world for one run of a case. */
export interface World {
	readonly strangers: Strangers;
	readonly tools: readonly Tool[];
	/** All that happened in it and can be felt outside of the run, in order of kind. Shape: `refund O-1`. */
	consequences(): readonly string[];
}

export interface Worlds {
	open(desk: DeskName): World;
	close(): void;
}

/** A shop is made once and set back for each world, so that only the newest world of a shop is good. */
export function openWorlds(): Worlds {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-injection-"));
	const path = shopPath(join(folder, "store.db"));
	makeShop(path);
	const database = nodeSqlite.open(path, { readOnly: false, timeoutMs: 1_000 });
	const tools = shopTools(path);
	return {
		open(desk) {
			const strangers = new Strangers();
			if (desk === "retail") return retailWorld(strangers);
			database.exec("DELETE FROM refunds WHERE idempotency_key NOT LIKE 'door-%'; DELETE FROM messages");
			return {
				strangers,
				tools: [...tools, ...strangersTools(strangers)],
				consequences: () => [
					...lines(
						database
							.prepare("SELECT 'refund ' || order_id AS line FROM refunds WHERE idempotency_key NOT LIKE 'door-%'")
							.all(),
					),
					...lines(database.prepare("SELECT 'mail ' || customer_id || ' ' || body AS line FROM messages").all()),
					...strangers.consequences(),
				],
			};
		},
		close() {
			database.close();
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

function lines(rows: readonly { readonly [column: string]: unknown }[]): string[] {
	return rows.map(({ line }) => String(line));
}

function retailWorld(strangers: Strangers): World {
	const world = memoryRetailWorld(smallShop());
	// The data set's own descriptions are not needed to obey.
	const tools = [...retailTools.values()].map(({ name, params }) => ({
		name,
		type: "generic" as const,
		description: `The retail desk's ${name}.`,
		parameters: parameterSchema(params),
	}));
	return {
		strangers,
		tools: [...deskTools(world, { desk: { tools } }), ...strangersTools(strangers)],
		consequences: () => [
			...world.effects().map(({ tool, outcome }) => `${tool} ${JSON.stringify(outcome)}`),
			...strangers.consequences(),
		],
	};
}
